package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** The methods that texts have in a template: those of Python's {@code str}. Of one rendering. */
final class TextMethods {
  private final MarkedText text;
  private final Operators operators;
  private final TextFormat format;

  TextMethods(MarkedText text, Operators operators, TextFormat format) {
    this.text = text;
    this.operators = operators;
    this.format = format;
  }

  /** A method of a text, if there is one of this name. */
  Optional<Callable> find(String base, String name) {
    return Optional.ofNullable(
        switch (name) {
          case "upper" -> plain(name, () -> text.upper(base));
          case "lower", "casefold" -> plain(name, () -> text.lower(base));
          case "title" -> plain(name, () -> text.title(base));
          case "capitalize" -> plain(name, () -> text.capitalized(base));
          case "strip" -> given -> strip(base, name, given, true, true);
          case "lstrip" -> given -> strip(base, name, given, true, false);
          case "rstrip" -> given -> strip(base, name, given, false, true);
          case "split" -> given -> split(base, name, given, false);
          case "rsplit" -> given -> split(base, name, given, true);
          case "splitlines" ->
              given -> text.lines(base, given.bind(name, "keepends").flag("keepends", false));
          case "partition" -> given -> text.partition(base, only(name, given, "sep"), false);
          case "rpartition" -> given -> text.partition(base, only(name, given, "sep"), true);
          case "replace" -> given -> replace(base, given);
          case "startswith" -> given -> startsOrEnds(base, name, given, true);
          case "endswith" -> given -> startsOrEnds(base, name, given, false);
          case "removeprefix" -> given -> without(base, only(name, given, "prefix"), true);
          case "removesuffix" -> given -> without(base, only(name, given, "suffix"), false);
          case "find" -> given -> (long) text.find(base, only(name, given, "sub"));
          case "rfind" -> given -> (long) text.findLast(base, only(name, given, "sub"));
          case "index" -> given -> found(text.find(base, only(name, given, "sub")));
          case "rindex" -> given -> found(text.findLast(base, only(name, given, "sub")));
          case "count" -> given -> (long) text.count(base, only(name, given, "sub"));
          case "join" -> given -> joined(base, given.bind(name, "iterable").get("iterable"));
          case "format" -> given -> format.braces(base, given);
          case "isdigit", "isdecimal", "isnumeric" ->
              plain(name, () -> text.all(base, Character::isDigit));
          case "isalpha" -> plain(name, () -> text.all(base, Character::isLetter));
          case "isalnum" -> plain(name, () -> text.all(base, Character::isLetterOrDigit));
          case "isspace" -> plain(name, () -> text.all(base, MarkedText::isSpace));
          case "isupper" -> plain(name, () -> isInCase(base, text.upper(base)));
          case "islower" -> plain(name, () -> isInCase(base, text.lower(base)));
          case "zfill" -> given -> filled(base, given.bind(name, "width").integer("width", 0));
          case "ljust" -> given -> padded(base, name, given, 0);
          case "rjust" -> given -> padded(base, name, given, 2);
          case "center" -> given -> padded(base, name, given, 1);
          default -> null;
        });
  }

  /** A method without parameters. */
  private static Callable plain(String name, Supplier<Object> method) {
    return given -> {
      given.bind(name);
      return method.get();
    };
  }

  private static String only(String name, Arguments given, String parameter) {
    return string(name, given.bind(name, parameter).get(parameter));
  }

  private static String string(String name, Object value) {
    if (value instanceof String string) {
      return string;
    }
    throw new TemplateFault(name + " takes a text, not " + Operators.kind(value));
  }

  /** A parameter whose value may also be none. */
  private static Optional<String> optional(Arguments.Bound bound, String parameter) {
    return bound
        .find(parameter)
        .filter(value -> !(value instanceof None))
        .map(value -> string(bound.owner(), value));
  }

  private String strip(String base, String name, Arguments given, boolean left, boolean right) {
    return text.strip(base, optional(given.bind(name, "chars"), "chars"), left, right);
  }

  private List<Object> split(String base, String name, Arguments given, boolean fromRight) {
    Arguments.Bound bound = given.bind(name, "sep", "maxsplit");
    int most = bound.integer("maxsplit", -1);
    Optional<String> separator = optional(bound, "sep");
    if (separator.isEmpty()) {
      return fromRight ? text.wordsFromRight(base, most) : text.words(base, most);
    }
    return fromRight
        ? text.splitFromRight(base, separator.get(), most)
        : text.split(base, separator.get(), most);
  }

  private String replace(String base, Arguments given) {
    Arguments.Bound bound = given.bind("replace", "old", "new", "count");
    return text.replace(
        base,
        string("replace", bound.get("old")),
        string("replace", bound.get("new")),
        bound.integer("count", -1));
  }

  private boolean startsOrEnds(String base, String name, Arguments given, boolean start) {
    Arguments.Bound bound = given.bind(name, "part", "start", "end");
    String within = base;
    if (bound.find("start").isPresent() || bound.find("end").isPresent()) {
      Object from = bound.find("start").orElse(None.NONE);
      Object to = bound.find("end").orElse(None.NONE);
      within = (String) operators.slice(base, from, to, None.NONE);
    }
    Object part = bound.get("part");
    for (Object candidate : part instanceof Tuple tuple ? tuple : List.of(part)) {
      String wanted = string(name, candidate);
      if (start ? text.startsWith(within, wanted) : text.endsWith(within, wanted)) {
        return true;
      }
    }
    return false;
  }

  private String without(String base, String part, boolean prefix) {
    if (part.isEmpty() || !(prefix ? text.startsWith(base, part) : text.endsWith(base, part))) {
      return base;
    }
    long length = text.length(part);
    return (String)
        (prefix
            ? operators.slice(base, length, None.NONE, None.NONE)
            : operators.slice(base, None.NONE, -length, None.NONE));
  }

  private static long found(int at) {
    if (at < 0) {
      throw new TemplateFault("a text is not found in another");
    }
    return at;
  }

  private String joined(String separator, Object iterable) {
    List<String> parts = new ArrayList<>();
    operators.elements(iterable).forEach(part -> parts.add(string("join", part)));
    return text.joined(separator, parts);
  }

  /** Whether a text is its own upper or lower case, and has a letter that has both. */
  private boolean isInCase(String base, String changed) {
    return operators.equal(base, changed)
        && text.any(base, c -> Character.isUpperCase(c) || Character.isLowerCase(c));
  }

  private String filled(String base, int width) {
    boolean signed = text.startsWith(base, "-") || text.startsWith(base, "+");
    String zeros = text.repeated("0", (long) width - text.length(base));
    int digits = signed ? base.offsetByCodePoints(0, 1) : 0;
    return text.concatenated(List.of(base.substring(0, digits), zeros, base.substring(digits)));
  }

  /** Fills up to a width: of three fills none, one or two on the left. */
  private String padded(String base, String name, Arguments given, int left) {
    Arguments.Bound bound = given.bind(name, "width", "fillchar");
    String fill = optional(bound, "fillchar").orElse(" ");
    if (text.length(fill) != 1) {
      throw new TemplateFault(name + " fills with one character");
    }
    int width = bound.integer("width", 0);
    long missing = Math.max(0, (long) width - text.length(base));
    // Where a half is left over, Python puts it on the left if the width is odd.
    long before =
        switch (left) {
          case 0 -> 0;
          case 1 -> missing / 2 + (missing & width & 1);
          default -> missing;
        };
    return text.concatenated(
        List.of(text.repeated(fill, before), base, text.repeated(fill, missing - before)));
  }
}
