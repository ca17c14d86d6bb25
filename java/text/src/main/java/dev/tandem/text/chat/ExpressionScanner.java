package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.List;

/** Cuts the text of an expression into tokens, by the rules of Jinja (those of Python). */
final class ExpressionScanner {
  /** What a token is. */
  enum Kind {
    NAME,
    TEXT,
    NUMBER,
    SIGN,
    END
  }

  /**
   * A piece of an expression.
   *
   * @param kind what it is
   * @param text as written; of a text its value
   * @param value of a number
   */
  record Token(Kind kind, String text, Object value) {
    boolean is(String sign) {
      return kind == Kind.SIGN && text.equals(sign);
    }

    boolean isWord(String word) {
      return kind == Kind.NAME && text.equals(word);
    }

    /** As messages show it. */
    String shown() {
      return kind == Kind.END ? "the end" : "'" + text + "'";
    }
  }

  /** Longer ones first. */
  private static final List<String> SIGNS =
      List.of(
          "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{",
          "}", ".", ",", ":", "|", "=", "<", ">");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;

  private ExpressionScanner(String source) {
    this.source = source;
  }

  /** The tokens of an expression, with an {@link Kind#END} behind them. */
  static List<Token> scan(String source) {
    ExpressionScanner scanner = new ExpressionScanner(source);
    scanner.scan();
    return scanner.tokens;
  }

  /** Whether a dict is begun but not ended; of what cannot be scanned, it is not. */
  static boolean hasOpenBrace(String source) {
    try {
      int open = 0;
      for (Token token : scan(source)) {
        open += token.is("{") ? 1 : token.is("}") ? -1 : 0;
      }
      return open > 0;
    } catch (TemplateFault e) {
      return false;
    }
  }

  private void scan() {
    while (at < source.length()) {
      char c = source.charAt(at);
      if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
        at++;
      } else if (c == '"' || c == '\'') {
        tokens.add(new Token(Kind.TEXT, text(c), None.NONE));
      } else if (isDigit(c)) {
        tokens.add(number());
      } else if (Character.isUnicodeIdentifierStart(source.codePointAt(at)) || c == '_') {
        tokens.add(new Token(Kind.NAME, name(), None.NONE));
      } else {
        String sign =
            SIGNS.stream()
                .filter(s -> source.startsWith(s, at))
                .findFirst()
                .orElseThrow(
                    () -> new TemplateFault("the character '" + c + "' has no meaning here"));
        at += sign.length();
        tokens.add(new Token(Kind.SIGN, sign, None.NONE));
      }
    }
    tokens.add(new Token(Kind.END, "", None.NONE));
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private String name() {
    int start = at;
    while (at < source.length()) {
      int point = source.codePointAt(at);
      if (!Character.isUnicodeIdentifierPart(point) || Character.isIdentifierIgnorable(point)) {
        break;
      }
      at += Character.charCount(point);
    }
    return source.substring(start, at);
  }

  private Token number() {
    int start = at;
    digits();
    boolean real = false;
    if (at + 1 < source.length() && source.charAt(at) == '.' && isDigit(source.charAt(at + 1))) {
      real = true;
      at++;
      digits();
    }
    if (hasExponent()) {
      real = true;
      at += 2;
      digits();
    }
    String text = source.substring(start, at).replace("_", "");
    try {
      Object value = real ? (Object) Double.valueOf(text) : (Object) Long.valueOf(text);
      return new Token(Kind.NUMBER, text, value);
    } catch (NumberFormatException e) {
      throw new TemplateFault("the number " + text + " is too large");
    }
  }

  private void digits() {
    while (at < source.length() && (isDigit(source.charAt(at)) || source.charAt(at) == '_')) {
      at++;
    }
  }

  private boolean hasExponent() {
    if (at + 1 >= source.length() || Character.toLowerCase(source.charAt(at)) != 'e') {
      return false;
    }
    char next = source.charAt(at + 1);
    return isDigit(next)
        || (next == '+' || next == '-')
            && at + 2 < source.length()
            && isDigit(source.charAt(at + 2));
  }

  private String text(char quote) {
    StringBuilder out = new StringBuilder();
    at++;
    while (at < source.length()) {
      char c = source.charAt(at++);
      if (c == quote) {
        requireWholeCharacters(out);
        return out.toString();
      }
      if (c == '\\' && at < source.length()) {
        escape(out);
      } else {
        out.append(c);
      }
    }
    throw new TemplateFault("a text is not ended: " + quote + " is missing");
  }

  /** An escape sequence, of which the backslash was read; an unknown one stays as it is. */
  private void escape(StringBuilder out) {
    char c = source.charAt(at++);
    switch (c) {
      case '\n' -> {}
      case '\\', '\'', '"' -> out.append(c);
      case 'a' -> out.append('\u0007');
      case 'b' -> out.append('\b');
      case 'f' -> out.append('\f');
      case 'n' -> out.append('\n');
      case 'r' -> out.append('\r');
      case 't' -> out.append('\t');
      case 'v' -> out.append('\u000B');
      case 'x' -> out.appendCodePoint(hexadecimal(2));
      case 'u' -> out.appendCodePoint(hexadecimal(4));
      case 'U' -> out.appendCodePoint(hexadecimal(8));
      case '0', '1', '2', '3', '4', '5', '6', '7' -> out.append(octal(c));
      default -> out.append('\\').append(c);
    }
  }

  private int hexadecimal(int digits) {
    int end = at + digits;
    int point = 0;
    for (; at < end; at++) {
      int digit = at < source.length() ? Character.digit(source.charAt(at), 16) : -1;
      point = point << 4 | digit;
      if (digit < 0 || point < 0) {
        throw new TemplateFault("an escape in a text needs " + digits + " hexadecimal digits");
      }
    }
    if (!Character.isValidCodePoint(point)) {
      throw new TemplateFault("an escape in a text is no character of Unicode");
    }
    return point;
  }

  private char octal(char first) {
    int value = first - '0';
    for (int i = 1; i < 3 && at < source.length(); i++) {
      int digit = Character.digit(source.charAt(at), 8);
      if (digit < 0) {
        break;
      }
      value = value * 8 + digit;
      at++;
    }
    return (char) value;
  }

  /** Half characters could be put together to ones that the template does not seem to have. */
  private static void requireWholeCharacters(CharSequence text) {
    if (text.codePoints()
        .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
      throw new TemplateFault("a text has half a character (a lone surrogate)");
    }
  }
}
