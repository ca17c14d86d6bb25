package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;

/** Texts of strangers on a line of the terminal. */
class PrintableTest {

  @Test
  void ordinaryTextIsLeftAlone() {
    for (String text :
        new String[] {
          "",
          "Llama 3",
          "\u00e9e\u0301 \u65e5\u672c \uD83E\uDD9C",
          "\uD83D\uDC69\u200D\uD83D\uDC67",
          "\\n"
        }) {
      assertSame(text, Printable.line(text));
    }
  }

  @Test
  void whatDisturbsIsEscaped() {
    assertEquals("a\\nb\\r\\tc", Printable.line("a\nb\r\tc"));
    assertEquals("\\u001b[2J\\u0000\\u007f\\u009b", Printable.line("\u001b[2J\0\u007f\u009b"));
    assertEquals("\\u2028\\u202e\\u2066\\ud83e", Printable.line("\u2028\u202e\u2066\uD83E"));
  }

  @Test
  void longTextIsCutBetweenCharacters() {
    assertEquals("ab", Printable.line("ab", 2));
    assertEquals("\uD83E\uDD9C\\n... (3 characters)", Printable.line("\uD83E\uDD9C\nx", 2));
  }
}
