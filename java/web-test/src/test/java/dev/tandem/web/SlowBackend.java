package dev.tandem.web;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.server.BackendLoader;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.ModelCard;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The built-in model at the pace of a large one: it writes a whole story in a tenth of a second.
 */
record SlowBackend(Backend model, long millisPerToken) implements Backend {

  static BackendLoader loader(BackendLoader fast, long millisPerToken) {
    return listener -> new SlowBackend(fast.load(listener), millisPerToken);
  }

  @Override
  public ModelCard card() {
    return model.card();
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
    return model.generate(
        prompt,
        options,
        priority,
        new GenerationListener() {
          @Override
          public void token(int id) {
            listener.token(id);
          }

          @Override
          public void text(byte[] utf8, int offset, int length) {
            listener.text(utf8, offset, length);
          }

          @Override
          public void tokenComplete() {
            listener.tokenComplete();
            // Returns at once, and keeps the interrupt, when the request is cancelled.
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millisPerToken));
          }
        });
  }

  @Override
  public BackendLoad load() {
    return model.load();
  }

  @Override
  public void close() {
    model.close();
  }
}
