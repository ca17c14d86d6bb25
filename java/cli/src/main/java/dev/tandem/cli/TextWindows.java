package dev.tandem.cli;

import java.util.Arrays;

/**
 * A text cut into consecutive windows, in the way of llama-perplexity: the tokens left at the end,
 * too few for a window, do not count; where the model wants a token that begins a text (BOS), it
 * takes the place of each window's first; and of each window the second half is scored, so that
 * every prediction has some text to go by.
 *
 * <pre>
 *   position  0     1 ...  size/2 - 1 | size/2 ...  size - 2    size - 1
 *   token     BOS   read              | read, and asked for     not read:
 *                                     | the token that follows  the last answer
 * </pre>
 */
final class TextWindows {

  /** The smallest window: with three tokens to score. */
  static final int LEAST_SIZE = 8;

  private final int[] text;
  private final int[] begin;
  private final int size;
  private final int count;

  /**
   * @param text all tokens, what begins the text included
   * @param begin what a text begins with
   * @param size tokens of a window
   * @param most windows, at most
   */
  TextWindows(int[] text, int[] begin, int size, int most) {
    this.text = text;
    this.begin = begin;
    this.size = size;
    count = Math.min(most, text.length / size);
  }

  /** Tokens of the whole text. */
  int textTokens() {
    return text.length;
  }

  int count() {
    return count;
  }

  /** Tokens of a window. */
  int size() {
    return size;
  }

  /** Tokens of a window that the model reads: all but the last. */
  int read() {
    return size - 1;
  }

  /** The first position whose successor is scored. */
  int firstScored() {
    return size / 2;
  }

  /** Tokens of a window that are scored. */
  int scored() {
    return read() - firstScored();
  }

  /** What the model reads in a window. */
  int[] tokens(int window) {
    int[] tokens = Arrays.copyOfRange(text, window * size, window * size + read());
    System.arraycopy(begin, 0, tokens, 0, Math.min(begin.length, tokens.length));
    return tokens;
  }

  /** The token that follows a position of a window. */
  int successor(int window, int position) {
    return text[window * size + position + 1];
  }
}
