package dev.tandem.text;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;

/**
 * The general categories of Unicode 16.0, as far as pre-tokenizers tell them apart.
 *
 * <p>The table is ours and not {@link Character}'s, because that one grows with the JDK: the same
 * prompt must give the same tokens on all of them. Each category is one bit, so that a union of
 * categories is a mask.
 */
final class UnicodeCategories {
  static final int OTHER = 1;

  /** The White_Space property; none of these characters is in another category of this table. */
  static final int SPACE = 1 << 1;

  static final int UPPERCASE_LETTER = 1 << 2;
  static final int LOWERCASE_LETTER = 1 << 3;
  static final int TITLECASE_LETTER = 1 << 4;
  static final int MODIFIER_LETTER = 1 << 5;
  static final int OTHER_LETTER = 1 << 6;
  static final int MARK = 1 << 7;
  static final int NUMBER = 1 << 8;
  static final int PUNCTUATION = 1 << 9;
  static final int SYMBOL = 1 << 10;
  static final int LETTER =
      UPPERCASE_LETTER | LOWERCASE_LETTER | TITLECASE_LETTER | MODIFIER_LETTER | OTHER_LETTER;

  /** The codes of the resource, in the order of the bits. */
  private static final String CODES = "-_ultmoMNPS";

  private static final String RESOURCE = "unicode-16.0-categories.txt";

  private UnicodeCategories() {}

  /** The bit of this character's category. */
  static int of(int codePoint) {
    byte[] table = Table.BIT_NUMBERS;
    return codePoint < table.length ? 1 << table[codePoint] : OTHER;
  }

  /** The mask that {@code \p{name}} means. */
  static int named(String name) {
    return switch (name) {
      case "L" -> LETTER;
      case "Lu" -> UPPERCASE_LETTER;
      case "Ll" -> LOWERCASE_LETTER;
      case "Lt" -> TITLECASE_LETTER;
      case "Lm" -> MODIFIER_LETTER;
      case "Lo" -> OTHER_LETTER;
      case "M" -> MARK;
      case "N" -> NUMBER;
      case "P" -> PUNCTUATION;
      case "S" -> SYMBOL;
      default -> throw new IllegalArgumentException("category \\p{" + name + "} is not supported");
    };
  }

  /** Read when first needed; characters beyond its end are {@link #OTHER}. */
  private static final class Table {
    static final byte[] BIT_NUMBERS = read();

    /** The resource lists runs: a code, then the run's length in base 36 unless it is 1. */
    private static byte[] read() {
      byte[] table = new byte[Character.MAX_CODE_POINT + 1];
      byte[] runs = resource();
      int codePoint = 0;
      int lastKnown = 0;
      for (int i = 0; i < runs.length; i++) { // at a code here, behind its run thereafter
        int category = CODES.indexOf(runs[i]);
        int length = 0;
        for (i++; i < runs.length && runs[i] > ' '; i++) {
          length = 36 * length + Character.digit(runs[i], 36);
        }
        int end = codePoint + Math.max(1, length);
        Arrays.fill(table, codePoint, end, (byte) category);
        codePoint = end;
        lastKnown = category == 0 ? lastKnown : codePoint;
      }
      return Arrays.copyOf(table, lastKnown);
    }

    private static byte[] resource() {
      try (InputStream in = UnicodeCategories.class.getResourceAsStream(RESOURCE)) {
        return in.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
