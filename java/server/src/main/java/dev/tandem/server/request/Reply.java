package dev.tandem.server.request;

import dev.tandem.engine.sample.TokenProbabilities;
import java.util.Optional;

/**
 * Hears what becomes of an order, on a virtual thread of the order's own. Methods may block: that
 * holds up this order alone. What they throw ends it; a {@link Refusal} then names the reason.
 * After {@link #finished} or {@link #failed} comes nothing more; exactly one of them comes.
 */
public interface Reply {

  /** It has been accepted, and waits or runs. */
  default void started() {}

  /**
   * A token.
   *
   * @param utf8 text that is complete with it, whole characters, at {@code [0, length)}; is reused
   */
  void token(int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities);

  /** The end, by itself or because it was cancelled. */
  void finished(Outcome outcome);

  /** It was given up. */
  void failed(Refusal refusal);
}
