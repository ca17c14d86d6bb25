package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.parse.ExpressionToken;
import com.hubspot.jinjava.tree.parse.TagToken;
import com.hubspot.jinjava.tree.parse.TextToken;
import com.hubspot.jinjava.tree.parse.Token;
import java.util.ArrayList;
import java.util.List;

/**
 * What is left of the text between tags, by Jinja's rules with {@code trim_blocks} and {@code
 * lstrip_blocks}, which is how chat templates are written: a line feed behind a tag goes, and so
 * does white space between the beginning of a line and a tag; {@code -} takes all white space away,
 * {@code +} none.
 *
 * <p>Jinjava has these rules too, but takes white space before a tag away wherever in the line the
 * tag stands, knows no {@code +}, and lets {@code -} reach through comments.
 */
final class Whitespace {
  private Whitespace() {}

  /**
   * The texts of a template's text tokens, in order.
   *
   * @param tokens all of a template
   */
  static List<String> texts(List<Token> tokens) {
    List<String> texts = new ArrayList<>();
    int at = 0;
    while (at < tokens.size()) {
      if (!isText(tokens.get(at))) {
        at++;
        continue;
      }
      // Inside of raw there are several in a row.
      int end = at;
      StringBuilder text = new StringBuilder();
      while (end < tokens.size() && isText(tokens.get(end))) {
        text.append(tokens.get(end++).getImage());
      }
      String before = at == 0 ? "" : tokens.get(at - 1).getImage();
      boolean trims = at > 0 && trimsLineFeed(tokens.get(at - 1));
      texts.add(trimmed(text.toString(), before, trims, end, tokens));
      while (++at < end) {
        texts.add("");
      }
    }
    return texts;
  }

  private static boolean isText(Token token) {
    return token instanceof TextToken;
  }

  private static String trimmed(
      String text, String before, boolean trims, int next, List<Token> tokens) {
    int from = 0;
    if (before.length() > 4 && before.charAt(before.length() - 3) == '-') {
      while (from < text.length() && MarkedText.isSpace(text.charAt(from))) {
        from++;
      }
    } else if (trims && text.startsWith("\n")) {
      from = 1;
    }
    boolean atLineStart = before.isEmpty() || from > 0 && text.charAt(from - 1) == '\n';
    String rest = text.substring(from);
    return next == tokens.size() ? rest : beforeTag(rest, tokens.get(next), atLineStart);
  }

  /** A text without what the tag behind it takes away. */
  private static String beforeTag(String text, Token next, boolean atLineStart) {
    String image = next.getImage();
    char sign = image.length() > 4 ? image.charAt(2) : ' ';
    int end = text.length();
    if (sign == '-') {
      while (end > 0 && MarkedText.isSpace(text.charAt(end - 1))) {
        end--;
      }
    } else if (sign != '+' && !(next instanceof ExpressionToken)) {
      int line = text.lastIndexOf('\n') + 1;
      if ((line > 0 || atLineStart) && text.chars().skip(line).allMatch(MarkedText::isSpace)) {
        end = line;
      }
    }
    return text.substring(0, end);
  }

  private static boolean trimsLineFeed(Token token) {
    return !(token instanceof ExpressionToken)
        && !(token instanceof TagToken tag && tag.getTagName().equals("raw"))
        && !inner(token.getImage()).endsWith("+");
  }

  private static String inner(String image) {
    return image.substring(Math.min(2, image.length()), Math.max(2, image.length() - 2));
  }

  /** What stands between the braces, without the signs for white space. */
  static String inside(Token token) {
    String inner = inner(token.getImage());
    int from = !inner.isEmpty() && "-+".indexOf(inner.charAt(0)) >= 0 ? 1 : 0;
    int end = inner.length();
    if (end > from && (inner.endsWith("-") || token instanceof TagToken && inner.endsWith("+"))) {
      end--;
    }
    return inner.substring(from, end);
  }

  /** What a tag says behind its name. */
  static String insideTag(TagToken token) {
    String inside = inside(token).stripLeading();
    return inside.substring(Math.min(inside.length(), token.getTagName().length()));
  }
}
