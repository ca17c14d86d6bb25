package dev.tandem.text;

import dev.tandem.text.SplitPattern.Choice;
import dev.tandem.text.SplitPattern.End;
import dev.tandem.text.SplitPattern.Look;
import dev.tandem.text.SplitPattern.Part;
import dev.tandem.text.SplitPattern.Repeat;
import dev.tandem.text.SplitPattern.TextEnd;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Reads a {@link SplitPattern}. A part is read as a function of the part that follows it. */
final class SplitPatternParser {
  private final String source;
  private int at;
  private boolean ignoreCase;

  SplitPatternParser(String source) {
    this.source = source;
  }

  Part parse() {
    UnaryOperator<Part> whole = alternatives();
    if (at < source.length()) {
      throw unsupported("a closing parenthesis without an opening one");
    }
    return whole.apply(new End());
  }

  private UnaryOperator<Part> alternatives() {
    List<UnaryOperator<Part>> all = new ArrayList<>();
    do {
      all.add(sequence());
    } while (skip("|"));
    return all.size() == 1
        ? all.get(0)
        : next -> new Choice(all.stream().map(one -> one.apply(next)).toArray(Part[]::new));
  }

  private UnaryOperator<Part> sequence() {
    List<UnaryOperator<Part>> parts = new ArrayList<>();
    while (at < source.length() && source.charAt(at) != '|' && source.charAt(at) != ')') {
      parts.add(part());
    }
    return next -> {
      Part part = next;
      for (int i = parts.size() - 1; i >= 0; i--) {
        part = parts.get(i).apply(part);
      }
      return part;
    };
  }

  private UnaryOperator<Part> part() {
    if (skip("$")) {
      return TextEnd::new;
    }
    if (skip("(?:")) {
      return optional(group(ignoreCase));
    }
    if (skip("(?i:")) {
      return optional(group(true));
    }
    if (skip("(?=")) {
      return look(false, true);
    }
    if (skip("(?!")) {
      return look(false, false);
    }
    if (skip("(?<=")) {
      return look(true, true);
    }
    if (skip("(?<!")) {
      return look(true, false);
    }
    return quantified(set());
  }

  private UnaryOperator<Part> group(boolean ignoringCase) {
    boolean outer = ignoreCase;
    ignoreCase = ignoringCase;
    UnaryOperator<Part> inside = alternatives();
    ignoreCase = outer;
    expect(")");
    return inside;
  }

  private UnaryOperator<Part> look(boolean behind, boolean wanted) {
    CodePointSet set = set();
    expect(")");
    return next -> new Look(set, behind, wanted, next);
  }

  private UnaryOperator<Part> optional(UnaryOperator<Part> group) {
    if (!skip("?")) {
      return group;
    }
    return next -> new Choice(new Part[] {group.apply(next), next});
  }

  private UnaryOperator<Part> quantified(CodePointSet set) {
    int least = 1;
    int most = 1;
    if (skip("?")) {
      least = 0;
    } else if (skip("*")) {
      least = 0;
      most = Integer.MAX_VALUE;
    } else if (skip("+")) {
      most = Integer.MAX_VALUE;
    } else if (skip("{")) {
      least = number();
      most = skip(",") ? number() : least;
      expect("}");
    } else {
      return next -> new Repeat(set, 1, 1, false, next);
    }
    boolean possessive = skip("+");
    int fewest = least;
    int greatest = most;
    return next -> new Repeat(set, fewest, greatest, possessive, next);
  }

  private int number() {
    int from = at;
    while (at < source.length() && Character.isDigit(source.charAt(at))) {
      at++;
    }
    if (from == at) {
      throw unsupported("a quantifier without a number");
    }
    return Integer.parseInt(source.substring(from, at));
  }

  private CodePointSet set() {
    CodePointSet.Builder set = new CodePointSet.Builder();
    if (!skip("[")) {
      boolean inverted = peekIs("\\S");
      if (!inverted && "?*+{}()".indexOf(source.charAt(at)) >= 0) {
        throw unsupported("'" + source.charAt(at) + "' here");
      }
      member(set);
      return set.build(inverted);
    }
    boolean inverted = skip("^");
    while (!skip("]")) {
      if (peekIs("[") || peekIs("&&") || peekIs("\\S")) {
        throw unsupported("a class inside a class");
      }
      member(set);
    }
    return set.build(inverted);
  }

  /** One character, range, category or escape. {@code \S} is left to the caller to invert. */
  private void member(CodePointSet.Builder set) {
    if (skip("\\s") || skip("\\S")) {
      set.addCategories(UnicodeCategories.SPACE);
    } else if (skip("\\p{")) {
      int end = source.indexOf('}', at);
      set.addCategories(UnicodeCategories.named(source.substring(at, end)));
      at = end + 1;
    } else {
      int first = character();
      boolean range = peekIs("-") && !peekIs("-]");
      if (range) {
        at++;
      }
      int last = range ? character() : first;
      set.addRange(first, last);
      if (ignoreCase) {
        addOtherCase(set, first, last);
      }
    }
  }

  private int character() {
    if (at == source.length()) {
      throw unsupported("an open class");
    }
    int c = source.codePointAt(at);
    at += Character.charCount(c);
    if (c != '\\') {
      return c;
    }
    char escaped = source.charAt(at++);
    return switch (escaped) {
      case 'r' -> '\r';
      case 'n' -> '\n';
      case 't' -> '\t';
      default -> {
        if (Character.isLetterOrDigit(escaped)) {
          throw unsupported("the escape \\" + escaped);
        }
        yield escaped;
      }
    };
  }

  /** Simple case folding; two letters beyond ASCII fold to ASCII ones. */
  private static void addOtherCase(CodePointSet.Builder set, int first, int last) {
    for (int c = first; c <= last; c++) {
      int upper = Character.toUpperCase(c);
      set.add(upper).add(Character.toLowerCase(upper));
      if (upper == 'S') {
        set.add('\u017F'); // long s
      } else if (upper == 'K') {
        set.add('\u212A'); // the Kelvin sign
      }
    }
  }

  private boolean peekIs(String text) {
    return source.startsWith(text, at);
  }

  private boolean skip(String text) {
    if (!peekIs(text)) {
      return false;
    }
    at += text.length();
    return true;
  }

  private void expect(String text) {
    if (!skip(text)) {
      throw unsupported("no " + text + " here");
    }
  }

  private IllegalArgumentException unsupported(String what) {
    return new IllegalArgumentException(
        "pattern " + source + " at " + at + ": " + what + " is not supported");
  }
}
