package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;

/** A loaded model. Each order has a session of its own: nothing is left of it when it has ended. */
public final class EngineBackend implements Backend {

  private final TandemModel model;
  private final ModelCard card;

  /** Takes over the model: closing this closes it. */
  public EngineBackend(TandemModel model, ModelCard card) {
    this.model = model;
    this.card = card;
  }

  @Override
  public ModelCard card() {
    return card;
  }

  @Override
  public Tokenizer tokenizer() {
    return model.tokenizer();
  }

  @Override
  public ChatTemplate chatTemplate() {
    return model.chatTemplate();
  }

  @Override
  public Generation generate(
      int[] prompt, GenerationOptions options, int priority, GenerationListener listener) {
    try (Session session = model.newSession()) {
      return session.generate(prompt, options, listener);
    }
  }

  @Override
  public BackendLoad load() {
    return new BackendLoad(0, 0, 0, model.engine().kvTokens(), 0);
  }

  @Override
  public void close() {
    model.close();
  }
}
