package dev.tandem.engine;

/** Hears what a generation does, on the thread that called it. */
public interface GenerationListener {

  /** So many of the prompt's tokens have been read. */
  default void prompt(int read, int total) {}

  /**
   * A token was generated. Tokens that end the text are not announced.
   *
   * @param id the token
   * @param bytes holds its UTF-8 bytes at {@code [0, length)}; may end inside a character, and is
   *     reused for the next token
   */
  void token(int id, byte[] bytes, int length);
}
