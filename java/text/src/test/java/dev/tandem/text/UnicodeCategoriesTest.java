package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

/** The table of categories. */
class UnicodeCategoriesTest {
  @Test
  void knowsOneCharacterOfEachCategory() {
    assertEquals(UnicodeCategories.UPPERCASE_LETTER, UnicodeCategories.of('A'));
    assertEquals(UnicodeCategories.LOWERCASE_LETTER, UnicodeCategories.of('ß'));
    assertEquals(UnicodeCategories.TITLECASE_LETTER, UnicodeCategories.of('ǅ'));
    assertEquals(UnicodeCategories.MODIFIER_LETTER, UnicodeCategories.of('ʰ'));
    assertEquals(UnicodeCategories.OTHER_LETTER, UnicodeCategories.of('想'));
    assertEquals(UnicodeCategories.MARK, UnicodeCategories.of('\u0301'));
    assertEquals(UnicodeCategories.MARK, UnicodeCategories.of(0xE01EF));
    assertEquals(UnicodeCategories.NUMBER, UnicodeCategories.of('½'));
    assertEquals(UnicodeCategories.PUNCTUATION, UnicodeCategories.of('。'));
    assertEquals(UnicodeCategories.SYMBOL, UnicodeCategories.of(0x1F999));
    assertEquals(UnicodeCategories.SPACE, UnicodeCategories.of('\u3000'));
    assertEquals(UnicodeCategories.OTHER, UnicodeCategories.of('\u200B'));
    assertEquals(UnicodeCategories.OTHER, UnicodeCategories.of(Character.MAX_CODE_POINT));
  }

  /** U+2FFC came with Unicode 15.1, U+1C89 with 16.0: a JDK 21 knows neither. */
  @Test
  void isNotTheTableOfTheJdk() {
    assertEquals(UnicodeCategories.SYMBOL, UnicodeCategories.of(0x2FFC));
    assertEquals(UnicodeCategories.UPPERCASE_LETTER, UnicodeCategories.of(0x1C89));
  }

  @Test
  void isThatOfUnicode16() {
    int jdk = Runtime.version().feature();
    assumeTrue(jdk == 24 || jdk == 25, "skipped: JDK " + jdk + " is not of Unicode 16.0");
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      assertEquals(ofJdk(c), UnicodeCategories.of(c), String.format("U+%04X", c));
    }
  }

  private static int ofJdk(int c) {
    boolean space =
        switch (c) {
          // Character.isWhitespace leaves these three out, and takes four separators of files in.
          case 0x85, 0xA0, 0x2007, 0x202F -> true;
          case 0x1C, 0x1D, 0x1E, 0x1F -> false;
          default -> Character.isWhitespace(c);
        };
    return space
        ? UnicodeCategories.SPACE
        : switch (Character.getType(c)) {
          case Character.UPPERCASE_LETTER -> UnicodeCategories.UPPERCASE_LETTER;
          case Character.LOWERCASE_LETTER -> UnicodeCategories.LOWERCASE_LETTER;
          case Character.TITLECASE_LETTER -> UnicodeCategories.TITLECASE_LETTER;
          case Character.MODIFIER_LETTER -> UnicodeCategories.MODIFIER_LETTER;
          case Character.OTHER_LETTER -> UnicodeCategories.OTHER_LETTER;
          case Character.NON_SPACING_MARK,
              Character.ENCLOSING_MARK,
              Character.COMBINING_SPACING_MARK ->
              UnicodeCategories.MARK;
          case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
              UnicodeCategories.NUMBER;
          case Character.DASH_PUNCTUATION,
              Character.START_PUNCTUATION,
              Character.END_PUNCTUATION,
              Character.CONNECTOR_PUNCTUATION,
              Character.OTHER_PUNCTUATION,
              Character.INITIAL_QUOTE_PUNCTUATION,
              Character.FINAL_QUOTE_PUNCTUATION ->
              UnicodeCategories.PUNCTUATION;
          case Character.MATH_SYMBOL,
              Character.CURRENCY_SYMBOL,
              Character.MODIFIER_SYMBOL,
              Character.OTHER_SYMBOL ->
              UnicodeCategories.SYMBOL;
          default -> UnicodeCategories.OTHER;
        };
  }
}
