package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.parse.DefaultTokenScannerSymbols;
import com.hubspot.jinjava.tree.parse.TextToken;
import com.hubspot.jinjava.tree.parse.Token;

/** Where in a template something is wrong, in messages. */
final class Place {
  private static final int LONGEST = 200;

  /** Before the first tag. */
  static final Token START = new TextToken("", 1, 1, new DefaultTokenScannerSymbols());

  private Place() {}

  /** A message that begins with the place. */
  static String message(Token token, String problem) {
    String image = token.getImage();
    return "chat template"
        + (image.isEmpty() ? "" : ", line " + token.getLineNumber() + ", " + shown(image))
        + ": "
        + shown(problem);
  }

  /** A text on one line, not too long: templates and contents come from strangers. */
  static String shown(String text) {
    StringBuilder line = new StringBuilder();
    boolean space = false;
    for (int point : text.strip().codePoints().limit(LONGEST).toArray()) {
      boolean blank = MarkedText.isSpace(point) || Character.isISOControl(point);
      if (!blank) {
        boolean format = Character.getType(point) == Character.FORMAT;
        line.append(space ? " " : "").appendCodePoint(format ? 0xFFFD : point);
      }
      space = blank;
    }
    return text.strip().codePointCount(0, text.strip().length()) > LONGEST
        ? line + "..."
        : line.toString();
  }
}
