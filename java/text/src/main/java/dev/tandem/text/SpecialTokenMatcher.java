package dev.tandem.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Finds the tokens that are matched as they are written, before any merging: user-defined ones
 * everywhere, control tokens where the text may be trusted. Of several that begin at one place the
 * longest wins, and the leftmost place comes first.
 *
 * <p>Files call some tokens user-defined that steer the model, as gemma-4's {@code <|tool_call>}
 * and an old converter's {@code <|User|>}: those that look like it, by their bars, are matched in
 * trusted text only.
 */
final class SpecialTokenMatcher {
  private static final int NONE = -1;

  private final Vocabulary vocabulary;

  /** The tokens, sorted by their bytes: those that share a beginning are neighbours. */
  private final int[] sorted;

  private final BitSet firstBytes = new BitSet(256);

  /** Those that are matched in any text. */
  private final BitSet everywhere = new BitSet();

  SpecialTokenMatcher(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    PieceTable pieces = vocabulary.pieces();
    List<Integer> tokens = new ArrayList<>();
    for (int id = 0; id < vocabulary.size(); id++) {
      if (isMatched(vocabulary.type(id)) && pieces.length(id) > 0) {
        tokens.add(id);
      }
    }
    tokens.sort((a, b) ->
        Arrays.compareUnsigned(
            pieces.bytes(),
            pieces.start(a),
            pieces.end(a),
            pieces.bytes(),
            pieces.start(b),
            pieces.end(b)));
    sorted = new int[tokens.size()];
    for (int i = 0; i < sorted.length; i++) {
      sorted[i] = tokens.get(i);
    }
    for (int id : sorted) {
      firstBytes.set(pieces.bytes()[pieces.start(id)] & 0xFF);
      if (vocabulary.type(id) == TokenType.USER_DEFINED && !isMarkup(vocabulary.text(id))) {
        everywhere.set(id);
      }
    }
  }

  /** Whether a text looks like {@code <|name|>}, with a bar at one end at least. */
  private static boolean isMarkup(String text) {
    return text.length() > 3
        && text.startsWith("<")
        && text.endsWith(">")
        && (isBar(text.charAt(1)) || isBar(text.charAt(text.length() - 2)));
  }

  private static boolean isBar(char c) {
    return c == '|' || c == '\uFF5C';
  }

  private static boolean isMatched(TokenType type) {
    return switch (type) {
      case CONTROL, USER_DEFINED, UNKNOWN -> true;
      case NORMAL, UNDEFINED, UNUSED, BYTE -> false;
    };
  }

  /**
   * The token that begins here, or -1.
   *
   * @param to where the text ends
   * @param trustedTo where the text ends in which control tokens are meant; {@code at} if they are
   *     not
   */
  int match(byte[] text, int at, int to, int trustedTo) {
    if (!firstBytes.get(text[at] & 0xFF)) {
      return NONE;
    }
    int longest = NONE;
    int low = 0;
    int high = sorted.length;
    for (int length = 0; low < high; length++) {
      // Here low to high share `length` bytes with the text; those that end there come first.
      while (low < high && vocabulary.byteLength(sorted[low]) == length) {
        if (at + length <= trustedTo || everywhere.get(sorted[low])) {
          longest = sorted[low];
        }
        low++;
      }
      if (at + length == to) {
        break;
      }
      int next = text[at + length] & 0xFF;
      low = firstNotBelow(next, length, low, high);
      high = firstNotBelow(next + 1, length, low, high);
    }
    return longest;
  }

  /** The first of some tokens whose byte at this place is not less than a value. */
  private int firstNotBelow(int value, int place, int from, int to) {
    PieceTable pieces = vocabulary.pieces();
    int low = from;
    int high = to;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if ((pieces.bytes()[pieces.start(sorted[middle]) + place] & 0xFF) < value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
