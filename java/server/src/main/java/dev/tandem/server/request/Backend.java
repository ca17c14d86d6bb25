package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.util.Optional;

/**
 * What generates: a loaded model, or for measuring the protocols, something that answers at once.
 */
public interface Backend extends AutoCloseable {

  /** What to tell of the model. */
  ModelCard card();

  Tokenizer tokenizer();

  ChatTemplate chatTemplate();

  /**
   * Generates what follows a prompt; returns at its end. Interrupting the thread ends it; so does
   * what the listener throws, which reaches the caller. A listener that blocks holds up this
   * generation alone.
   *
   * @param prompt token ids, BOS included where the model wants it; fits into the context
   * @param priority higher goes first among those that wait
   */
  Generation generate(
      int[] prompt, GenerationOptions options, int priority, GenerationListener listener);

  /** How busy it is. */
  BackendLoad load();

  /** What has stopped it for good, if something has: it generates no more. */
  default Optional<String> failure() {
    return Optional.empty();
  }

  @Override
  void close();
}
