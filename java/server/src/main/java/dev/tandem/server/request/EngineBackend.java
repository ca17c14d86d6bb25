package dev.tandem.server.request;

import dev.tandem.engine.EngineLoad;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.kv.KvCache;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.util.Optional;

/** A loaded model. Each order has a text of its own: nothing is left of it when it has ended. */
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
    return model.generate(prompt, options, priority, listener);
  }

  @Override
  public BackendLoad load() {
    EngineLoad load = model.load();
    return new BackendLoad(
        load.running(),
        load.waiting(),
        load.lastStep(),
        (long) load.kvBlocks() * KvCache.BLOCK_TOKENS,
        (long) load.kvBlocksUsed() * KvCache.BLOCK_TOKENS);
  }

  @Override
  public Optional<String> failure() {
    return model
        .defect()
        .map(defect ->
            "the engine has stopped: "
                + (defect instanceof RuntimeFailure ? defect.getMessage() : defect));
  }

  @Override
  public void close() {
    model.close();
  }
}
