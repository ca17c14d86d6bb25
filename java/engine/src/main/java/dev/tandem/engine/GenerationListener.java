package dev.tandem.engine;

import dev.tandem.engine.sample.TokenProbabilities;

/**
 * Hears what a generation does, on the thread that called it. What it throws ends the generation
 * and reaches the caller. It may use other sessions, and cancel or close its own.
 */
public interface GenerationListener {

  /** So many of the prompt's tokens have been read. */
  default void prompt(int read, int total) {}

  /** A token was generated; tokens that end the text are not announced. */
  default void token(int id) {}

  /** How likely the token was that was announced last, if the options ask for that. */
  default void probabilities(TokenProbabilities probabilities) {}

  /**
   * More of the text is complete: whole characters only, and nothing that may be the beginning of a
   * stop string. Comes after the token that completes them; what is incomplete at the end comes
   * last, as U+FFFD.
   *
   * @param utf8 holds the text at {@code [offset, offset + length)}; is reused afterwards
   */
  default void text(byte[] utf8, int offset, int length) {}

  /** All that belongs to the token announced last has been told. Text after this is the rest. */
  default void tokenComplete() {}
}
