package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;

/**
 * Texts while a template runs, in which content is marked (see {@link ContentAlphabet}).
 *
 * <p>Operations are Python's: indices count code points. They look at what the characters stand
 * for, and keep the characters. Of one rendering.
 */
final class MarkedText {
  private final ContentAlphabet alphabet;
  private final Budget budget;

  MarkedText(ContentAlphabet alphabet, Budget budget) {
    this.alphabet = alphabet;
    this.budget = budget;
  }

  ContentAlphabet alphabet() {
    return alphabet;
  }

  /** What a text says. */
  String open(String text) {
    budget.pay(text.length());
    return alphabet.open(text);
  }

  int[] points(String text) {
    budget.pay(text.length());
    return text.codePoints().toArray();
  }

  private int[] opened(int[] points) {
    int[] opened = new int[points.length];
    for (int i = 0; i < points.length; i++) {
      opened[i] = alphabet.open(points[i]);
    }
    return opened;
  }

  private int[] opened(String text) {
    return opened(points(text));
  }

  String text(int[] points) {
    return text(points, 0, points.length);
  }

  String text(int[] points, int from, int to) {
    if (from >= to) {
      return "";
    }
    budget.payText(to - from);
    return new String(points, from, to - from);
  }

  int length(String text) {
    budget.pay(text.length());
    return text.codePointCount(0, text.length());
  }

  String concatenated(List<String> parts) {
    return joined("", parts);
  }

  String joined(String separator, List<String> parts) {
    long length = (long) separator.length() * Math.max(0, parts.size() - 1);
    for (String part : parts) {
      length += part.length();
    }
    budget.payText(length);
    return String.join(separator, parts);
  }

  String repeated(String text, long times) {
    if (times <= 0 || text.isEmpty()) {
      return "";
    }
    long length = times > Integer.MAX_VALUE ? Integer.MAX_VALUE : times * text.length();
    budget.payText(length);
    return text.repeat((int) times);
  }

  // ---- finding ----

  private static boolean matches(int[] text, int[] part, int at) {
    return at >= 0
        && at + part.length <= text.length
        && Arrays.equals(text, at, at + part.length, part, 0, part.length);
  }

  int find(String text, String part) {
    return new TextSearch(opened(part)).next(opened(text), 0);
  }

  int findLast(String text, String part) {
    return TextSearch.last(opened(text), opened(part));
  }

  boolean contains(String text, String part) {
    return find(text, part) >= 0;
  }

  boolean startsWith(String text, String part) {
    return matches(opened(text), opened(part), 0);
  }

  boolean endsWith(String text, String part) {
    int[] in = opened(text);
    int[] what = opened(part);
    return matches(in, what, in.length - what.length);
  }

  int count(String text, String part) {
    int[] in = opened(text);
    int[] what = opened(part);
    TextSearch search = new TextSearch(what);
    int count = 0;
    for (int i = search.next(in, 0); i >= 0; i = search.next(in, i + Math.max(1, what.length))) {
      count++;
    }
    return count;
  }

  /** Compares what texts say, code point by code point. */
  int compare(String a, String b) {
    return Arrays.compare(opened(a), opened(b));
  }

  boolean all(String text, IntPredicate property) {
    return !text.isEmpty() && Arrays.stream(opened(text)).allMatch(property);
  }

  boolean any(String text, IntPredicate property) {
    return Arrays.stream(opened(text)).anyMatch(property);
  }

  // ---- cutting ----

  /** The characters, each a text. */
  List<Object> characters(String text) {
    int[] points = points(text);
    budget.payList(points.length);
    List<Object> characters = new ArrayList<>(points.length);
    for (int point : points) {
      characters.add(Character.toString(point));
    }
    return characters;
  }

  /** Takes characters away from the ends; white space if none are named. */
  String strip(String text, Optional<String> characters, boolean left, boolean right) {
    int[] points = points(text);
    int[] opened = opened(points);
    IntPredicate taken =
        characters
            .map(this::opened)
            .<IntPredicate>map(set -> c -> Arrays.stream(set).anyMatch(x -> x == c))
            .orElse(MarkedText::isSpace);
    int from = 0;
    int to = points.length;
    while (left && from < to && taken.test(opened[from])) {
      from++;
    }
    while (right && from < to && taken.test(opened[to - 1])) {
      to--;
    }
    return text(points, from, to);
  }

  /** Cuts a text at a separator, at most so many times (all, if negative), from the left. */
  List<Object> split(String text, String separator, long most) {
    int[] points = points(text);
    int[] opened = opened(points);
    int[] cut = nonEmpty(separator);
    TextSearch search = new TextSearch(cut);
    List<Object> parts = new ArrayList<>();
    int start = 0;
    int at = search.next(opened, 0);
    while (at >= 0 && (most < 0 || parts.size() < most)) {
      parts.add(text(points, start, at));
      start = at + cut.length;
      at = search.next(opened, start);
    }
    parts.add(text(points, start, points.length));
    budget.payList(parts.size());
    return parts;
  }

  /** The same from the right. */
  List<Object> splitFromRight(String text, String separator, long most) {
    int[] points = points(text);
    int[] opened = opened(points);
    int[] backwards = TextSearch.reversed(opened);
    TextSearch search = new TextSearch(TextSearch.reversed(nonEmpty(separator)));
    List<Object> parts = new ArrayList<>();
    int start = 0;
    int at = search.next(backwards, 0);
    while (at >= 0 && (most < 0 || parts.size() < most)) {
      parts.add(text(points, points.length - at, points.length - start));
      start = at + search.length();
      at = search.next(backwards, start);
    }
    parts.add(text(points, 0, points.length - start));
    budget.payList(parts.size());
    Collections.reverse(parts);
    return parts;
  }

  private int[] nonEmpty(String separator) {
    if (separator.isEmpty()) {
      throw new TemplateFault("a text is split at an empty one");
    }
    return opened(separator);
  }

  /** The words between white space; behind the {@code most}th cut the rest in one piece. */
  List<Object> words(String text, long most) {
    int[] points = points(text);
    int[] opened = opened(points);
    List<Object> words = new ArrayList<>();
    int at = 0;
    while (true) {
      while (at < points.length && isSpace(opened[at])) {
        at++;
      }
      if (at == points.length) {
        budget.payList(words.size());
        return words;
      }
      if (most >= 0 && words.size() == most) {
        words.add(text(points, at, points.length));
        at = points.length;
        continue;
      }
      int start = at;
      while (at < points.length && !isSpace(opened[at])) {
        at++;
      }
      words.add(text(points, start, at));
    }
  }

  /** The words between white space, cut from the right. */
  List<Object> wordsFromRight(String text, long most) {
    int[] points = points(text);
    int[] opened = opened(points);
    List<Object> words = new ArrayList<>();
    int at = points.length;
    while (true) {
      while (at > 0 && isSpace(opened[at - 1])) {
        at--;
      }
      if (at == 0) {
        budget.payList(words.size());
        Collections.reverse(words);
        return words;
      }
      if (most >= 0 && words.size() == most) {
        words.add(text(points, 0, at));
        at = 0;
        continue;
      }
      int end = at;
      while (at > 0 && !isSpace(opened[at - 1])) {
        at--;
      }
      words.add(text(points, at, end));
    }
  }

  /** The lines, with or without what ends them. */
  List<Object> lines(String text, boolean keepEnds) {
    int[] points = points(text);
    int[] opened = opened(points);
    List<Object> lines = new ArrayList<>();
    int start = 0;
    for (int at = 0; at < points.length; at++) {
      if (isLineEnd(opened[at])) {
        int end = at;
        if (opened[at] == '\r' && at + 1 < points.length && opened[at + 1] == '\n') {
          at++;
        }
        lines.add(text(points, start, keepEnds ? at + 1 : end));
        start = at + 1;
      }
    }
    if (start < points.length) {
      lines.add(text(points, start, points.length));
    }
    budget.payList(lines.size());
    return lines;
  }

  /** What is before, at and behind a separator; the text and two empty ones if it is not there. */
  Tuple partition(String text, String separator, boolean last) {
    int[] points = points(text);
    int[] opened = opened(points);
    int[] cut = nonEmpty(separator);
    int at = last ? TextSearch.last(opened, cut) : new TextSearch(cut).next(opened, 0);
    if (at < 0) {
      return new Tuple(last ? List.of("", "", text) : List.of(text, "", ""));
    }
    return new Tuple(
        List.of(
            text(points, 0, at),
            text(points, at, at + cut.length),
            text(points, at + cut.length, points.length)));
  }

  /** Puts a text for each occurrence of another, for at most so many (all, if negative). */
  String replace(String text, String old, String by, long most) {
    int[] points = points(text);
    int[] opened = opened(points);
    int[] cut = opened(old);
    TextSearch search = new TextSearch(cut);
    List<String> parts = new ArrayList<>();
    int start = 0;
    int at = 0;
    for (long done = 0; most < 0 || done < most; done++) {
      at = search.next(opened, at);
      if (at < 0) {
        break;
      }
      parts.add(text(points, start, at));
      parts.add(by);
      start = at + cut.length;
      at = Math.max(start, at + 1);
      budget.pay(by.length());
    }
    parts.add(text(points, start, points.length));
    return concatenated(parts);
  }

  // ---- changing characters ----

  String upper(String text) {
    return mapped(text, plain -> plain.toUpperCase(Locale.ROOT));
  }

  String lower(String text) {
    return mapped(text, plain -> plain.toLowerCase(Locale.ROOT));
  }

  /**
   * Changes the case. The whole text is changed, since a sigma depends on its neighbours; which
   * characters come from which is seen from their lengths when changed one by one.
   */
  private String mapped(String text, UnaryOperator<String> change) {
    int[] points = points(text);
    int[] opened = opened(points);
    String[] single = new String[points.length];
    for (int i = 0; i < points.length; i++) {
      single[i] = change.apply(Character.toString(opened[i]));
    }
    String whole = change.apply(new String(opened, 0, opened.length));
    String apart = String.join("", single);
    int[] changed = (whole.length() == apart.length() ? whole : apart).codePoints().toArray();
    budget.payText(changed.length);
    StringBuilder out = new StringBuilder(text.length());
    int at = 0;
    for (int i = 0; i < points.length; i++) {
      for (int n = single[i].codePointCount(0, single[i].length()); n > 0; n--) {
        out.appendCodePoint(alphabet.sealLike(points[i], changed[at++]));
      }
    }
    return out.toString();
  }

  /** The first character in upper case, the others in lower case. */
  String capitalized(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return concatenated(List.of(titleCase(text.substring(0, first)), lower(text.substring(first))));
  }

  private String titleCase(String character) {
    return mapped(
        character,
        plain -> {
          int point = plain.codePointAt(0);
          int title = Character.toTitleCase(point);
          return title == point ? plain.toUpperCase(Locale.ROOT) : Character.toString(title);
        });
  }

  /** Each run of letters capitalized (Python's {@code str.title}). */
  String title(String text) {
    return capitalizedRuns(text, c -> !Character.isLetter(c));
  }

  /** Each word capitalized (Jinja's filter {@code title}). */
  String titleOfWords(String text) {
    return capitalizedRuns(text, c -> isSpace(c) || "-({[<".indexOf(c) >= 0);
  }

  private String capitalizedRuns(String text, IntPredicate between) {
    int[] points = points(text);
    int[] opened = opened(points);
    List<String> parts = new ArrayList<>();
    int at = 0;
    while (at < points.length) {
      int start = at;
      boolean gap = between.test(opened[at]);
      while (at < points.length && between.test(opened[at]) == gap) {
        at++;
      }
      String run = text(points, start, at);
      parts.add(gap ? run : capitalized(run));
    }
    return concatenated(parts);
  }

  /** White space as Python has it. */
  static boolean isSpace(int c) {
    return switch (c) {
      case '\t', '\n', 0x0B, '\f', '\r', 0x1C, 0x1D, 0x1E, 0x1F, ' ', 0x85, 0xA0 -> true;
      case 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true;
      default -> c >= 0x2000 && c <= 0x200A;
    };
  }

  private static boolean isLineEnd(int c) {
    return switch (c) {
      case '\n', '\r', 0x0B, '\f', 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029 -> true;
      default -> false;
    };
  }
}
