package dev.tandem.cli;

/**
 * Texts from files that strangers made, for a line of a terminal: characters that would break the
 * line, or command the terminal, are escaped as in Java.
 */
final class Printable {

  private Printable() {}

  /** The text on one line. */
  static String line(String text) {
    if (text.codePoints().noneMatch(Printable::disturbs)) {
      return text;
    }
    StringBuilder line = new StringBuilder();
    text.codePoints()
        .forEach(c -> {
          switch (c) {
            case '\n' -> line.append("\\n");
            case '\r' -> line.append("\\r");
            case '\t' -> line.append("\\t");
            default -> {
              if (disturbs(c)) {
                line.append(String.format("\\u%04x", c));
              } else {
                line.appendCodePoint(c);
              }
            }
          }
        });
    return line.toString();
  }

  /** The text on one line, cut off behind so many characters, with its length. */
  static String line(String text, int longest) {
    int length = text.codePointCount(0, text.length());
    if (length <= longest) {
      return line(text);
    }
    return line(text.substring(0, text.offsetByCodePoints(0, longest)))
        + "... ("
        + length
        + " characters)";
  }

  private static boolean disturbs(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      // Those that turn the direction of writing would let one text pass for another.
      case Character.FORMAT -> c >= 0x202A && c <= 0x2069;
      default -> false;
    };
  }
}
