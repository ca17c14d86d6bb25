package dev.tandem.text.chat;

import dev.tandem.text.chat.Arguments.Bound;
import dev.tandem.text.chat.Printer.JsonLayout;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Jinja's filters for single values; those for the elements of a list are {@link ListFilters}. None
 * takes a regular expression, opens anything, or sees more than values.
 */
final class Filters {
  /** What stands behind {@code |}. */
  @FunctionalInterface
  interface Filter {
    Object apply(Rendering run, Object value, Arguments arguments);
  }

  private static final Map<String, Filter> ALL = new HashMap<>(ListFilters.ALL);

  static {
    ALL.put("abs", (run, value, given) -> absolute(run, value));
    ALL.put("attr", Filters::attribute);
    ALL.put("capitalize", (run, value, given) -> run.text().capitalized(run.printed(value)));
    ALL.put("center", Filters::center);
    ALL.put("count", (run, value, given) -> length(run, value));
    ALL.put("d", Filters::otherwise);
    ALL.put("default", Filters::otherwise);
    ALL.put("e", (run, value, given) -> escaped(run, value));
    ALL.put("escape", (run, value, given) -> escaped(run, value));
    ALL.put("float", Filters::real);
    ALL.put("forceescape", (run, value, given) -> escaped(run, value));
    ALL.put("format", Filters::format);
    ALL.put("indent", Filters::indent);
    ALL.put("int", Filters::integer);
    ALL.put("length", (run, value, given) -> length(run, value));
    ALL.put("lower", (run, value, given) -> run.text().lower(run.printed(value)));
    ALL.put("pprint", (run, value, given) -> run.printer().represented(value));
    ALL.put("replace", Filters::replace);
    ALL.put("round", Filters::round);
    ALL.put("safe", (run, value, given) -> value);
    ALL.put("string", (run, value, given) -> run.printed(value));
    ALL.put("title", (run, value, given) -> run.text().titleOfWords(run.printed(value)));
    ALL.put("tojson", Filters::json);
    ALL.put("trim", Filters::trim);
    ALL.put("upper", (run, value, given) -> run.text().upper(run.printed(value)));
    ALL.put(
        "wordcount", (run, value, given) -> (long) run.text().words(run.printed(value), -1).size());
  }

  private Filters() {}

  /** The filter of this name. */
  static Filter named(String name) {
    Filter filter = ALL.get(name);
    if (filter == null) {
      throw new TemplateFault(
          "there is no filter '"
              + name
              + "'; there are: "
              + String.join(", ", new TreeSet<>(ALL.keySet())));
    }
    return filter;
  }

  private static Object absolute(Rendering run, Object value) {
    return run.operators().order(value, 0L) < 0 ? run.operators().signed(true, value) : value;
  }

  private static Object attribute(Rendering run, Object value, Arguments given) {
    String name = run.text().open(run.printed(given.bind("attr", "name").get("name")));
    return run.evaluator().attribute(value, name);
  }

  private static Object center(Rendering run, Object value, Arguments given) {
    long width = given.bind("center", "width").integer("width", 80);
    Callable center = run.evaluator().method(run.printed(value), "center").orElseThrow();
    return center.call(Arguments.of(width));
  }

  private static Object otherwise(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("default", "default_value", "boolean");
    boolean missing =
        value instanceof Undefined || bound.flag("boolean", false) && !Operators.isTrue(value);
    return missing ? bound.find("default_value").orElse("") : value;
  }

  private static String escaped(Rendering run, Object value) {
    MarkedText text = run.text();
    StringBuilder out = new StringBuilder();
    for (int point : text.points(run.printed(value))) {
      String entity =
          switch (text.alphabet().open(point)) {
            case '&' -> "&amp;";
            case '<' -> "&lt;";
            case '>' -> "&gt;";
            case '"' -> "&#34;";
            case '\'' -> "&#39;";
            default -> "";
          };
      entity.chars().forEach(c -> out.appendCodePoint(text.alphabet().sealLike(point, c)));
      if (entity.isEmpty()) {
        out.appendCodePoint(point);
      }
      run.budget().requireText(out.length());
    }
    return out.toString();
  }

  private static Object real(Rendering run, Object value, Arguments given) {
    Object otherwise = given.bind("float", "default").find("default").orElse(0.0);
    return Operators.number(value)
        .or(() -> value instanceof String string ? parsed(run, string) : Optional.empty())
        .<Object>map(number -> number)
        .orElse(otherwise);
  }

  private static Optional<Double> parsed(Rendering run, String string) {
    String plain = run.text().open(string).strip().replace("_", "");
    // Java would also take 1f, 1d and hexadecimal numbers.
    return plain.length() < 100
            && plain.matches("[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?")
        ? Optional.of(Double.valueOf(plain))
        : Optional.empty();
  }

  private static Object integer(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("int", "default", "base");
    Object otherwise = bound.find("default").orElse(0L);
    if (value instanceof String string) {
      int base = bound.integer("base", 10);
      String plain = run.text().open(string).strip().replace("_", "");
      try {
        return Long.parseLong(plain, base);
      } catch (NumberFormatException e) {
        return parsed(run, string).map(Filters::truncated).orElse(otherwise);
      }
    }
    return Operators.integer(value)
        .<Object>map(number -> number)
        .or(() -> Operators.number(value).map(Filters::truncated))
        .orElse(otherwise);
  }

  private static Object truncated(double number) {
    if (!(Math.abs(number) < 1e18)) {
      throw new TemplateFault("int: " + number + " is too large");
    }
    return (long) number;
  }

  private static String format(Rendering run, Object value, Arguments given) {
    if (!given.named().isEmpty()) {
      Dict values = new Dict();
      given.named().forEach(values::put);
      return run.format().percent(run.printed(value), values);
    }
    return run.format().percent(run.printed(value), new Tuple(given.positional()));
  }

  private static String indent(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("indent", "width", "first", "blank");
    MarkedText text = run.text();
    Object width = bound.find("width").orElse(4L);
    String indentation =
        width instanceof String string ? string : text.repeated(" ", bound.integer("width", 4));
    List<Object> lines = text.lines(text.concatenated(List.of(run.printed(value), "\n")), false);
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = (String) lines.get(i);
      boolean indented =
          i == 0 ? bound.flag("first", false) : bound.flag("blank", false) || !line.isEmpty();
      parts.add(indented ? text.concatenated(List.of(indentation, line)) : line);
    }
    return text.joined("\n", parts);
  }

  private static Object json(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
    Optional<Object> indent = bound.find("indent").filter(x -> !(x instanceof None));
    Optional<String> indentation =
        indent.map(x ->
            x instanceof String string
                ? string
                : run.text().repeated(" ", bound.integer("indent", 0)));
    String between = indent.isPresent() ? "," : ", ";
    String behind = ": ";
    Optional<Object> separators = bound.find("separators").filter(x -> !(x instanceof None));
    if (separators.isPresent()) {
      List<Object> both = run.operators().elements(separators.get());
      if (both.size() != 2) {
        throw new TemplateFault("tojson: separators are two texts");
      }
      between = run.printed(both.get(0));
      behind = run.printed(both.get(1));
    }
    return run.printer()
        .json(
            value,
            new JsonLayout(
                indentation,
                between,
                behind,
                bound.flag("ensure_ascii", false),
                bound.flag("sort_keys", false)));
  }

  private static Object length(Rendering run, Object value) {
    return switch (value) {
      case String string -> (long) run.text().length(string);
      case List<?> list -> (long) list.size();
      case Dict dict -> (long) dict.size();
      case Undefined undefined -> 0L;
      default -> throw new TemplateFault(Operators.kind(value) + " has no length");
    };
  }

  private static String replace(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("replace", "old", "new", "count");
    return run.text()
        .replace(
            run.printed(value),
            run.printed(bound.get("old")),
            run.printed(bound.get("new")),
            bound.find("count").filter(x -> !(x instanceof None)).isPresent()
                ? bound.integer("count", -1)
                : -1);
  }

  private static Object round(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("round", "precision", "method");
    int precision = Math.clamp(bound.integer("precision", 0), -400, 400);
    RoundingMode mode =
        switch (run.text().open(run.printed(bound.find("method").orElse("common")))) {
          case "common" -> RoundingMode.HALF_EVEN;
          case "ceil" -> RoundingMode.CEILING;
          case "floor" -> RoundingMode.FLOOR;
          default -> throw new TemplateFault("round: the method is common, ceil or floor");
        };
    Optional<Long> whole = Operators.integer(value);
    if (whole.isPresent() && mode == RoundingMode.HALF_EVEN) {
      return new BigDecimal(whole.get()).setScale(Math.min(precision, 0), mode).longValue();
    }
    double number =
        Operators.number(value)
            .orElseThrow(() -> new TemplateFault(Operators.kind(value) + " cannot be rounded"));
    return Double.isFinite(number)
        ? new BigDecimal(number).setScale(precision, mode).doubleValue()
        : number;
  }

  private static String trim(Rendering run, Object value, Arguments given) {
    Optional<String> characters =
        given
            .bind("trim", "chars")
            .find("chars")
            .filter(x -> !(x instanceof None))
            .map(run::printed);
    return run.text().strip(run.printed(value), characters, true, true);
  }
}
