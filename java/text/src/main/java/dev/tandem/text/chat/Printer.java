package dev.tandem.text.chat;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Values as texts: as Python prints them, or as JSON. What content wrote, its quotes and escapes
 * included, stays content's. Of one rendering.
 */
final class Printer {
  private final MarkedText text;
  private final Budget budget;

  Printer(MarkedText text, Budget budget) {
    this.text = text;
    this.budget = budget;
  }

  /** What {@code {{ value }}} prints. */
  String printed(Object value) {
    return switch (value) {
      case String string -> string;
      case Undefined undefined -> "";
      default -> {
        StringBuilder out = new StringBuilder();
        represent(value, out);
        yield out.toString();
      }
    };
  }

  /** As in the source of a program; texts are in quotes. */
  String represented(Object value) {
    StringBuilder out = new StringBuilder();
    represent(value, out);
    return out.toString();
  }

  private void represent(Object value, StringBuilder out) {
    budget.enter(2);
    switch (value) {
      case String string -> quote(string, out);
      case Boolean flag -> out.append(flag ? "True" : "False");
      case Long number -> out.append(number.longValue());
      case Double number -> out.append(real(number));
      case None none -> out.append("None");
      case Undefined undefined -> out.append("Undefined");
      case Tuple tuple -> {
        list('(', tuple, out);
        out.append(tuple.size() == 1 ? ",)" : ")");
      }
      case List<?> list -> {
        list('[', list, out);
        out.append(']');
      }
      case Dict dict -> {
        String separator = "{";
        for (Dict.Entry entry : dict.entries()) {
          out.append(separator);
          represent(entry.key(), out);
          out.append(": ");
          represent(entry.value(), out);
          separator = ", ";
        }
        out.append(dict.size() == 0 ? "{}" : "}");
      }
      default -> throw new TemplateFault(Operators.kind(value) + " cannot be printed");
    }
    budget.requireText(out.length());
    budget.leave(2);
  }

  private void list(char begin, List<?> list, StringBuilder out) {
    out.append(begin);
    String separator = "";
    for (Object element : list) {
      out.append(separator);
      represent(element, out);
      separator = ", ";
    }
  }

  private void quote(String string, StringBuilder out) {
    ContentAlphabet alphabet = text.alphabet();
    char quote = text.contains(string, "'") && !text.contains(string, "\"") ? '"' : '\'';
    out.append(quote);
    for (int point : text.points(string)) {
      int plain = alphabet.open(point);
      String escape =
          switch (plain) {
            case '\\' -> "\\\\";
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            default -> plain == quote ? "\\" + quote : isPrintable(plain) ? "" : hexadecimal(plain);
          };
      append(point, escape, out);
    }
    out.append(quote);
  }

  /** Appends a character, or the escape that stands for it. */
  private void append(int point, String escape, StringBuilder out) {
    if (escape.isEmpty()) {
      out.appendCodePoint(point);
    } else {
      escape.chars().forEach(c -> out.appendCodePoint(text.alphabet().sealLike(point, c)));
    }
  }

  private static String hexadecimal(int point) {
    return point < 0x100
        ? String.format("\\x%02x", point)
        : point < 0x10000 ? String.format("\\u%04x", point) : String.format("\\U%08x", point);
  }

  private static boolean isPrintable(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> point == ' ';
      default -> true;
    };
  }

  /** A real number with the fewest digits that tell it from others. */
  static String real(double number) {
    if (Double.isNaN(number)) {
      return "nan";
    }
    if (Double.isInfinite(number)) {
      return number > 0 ? "inf" : "-inf";
    }
    BigDecimal decimal = new BigDecimal(Double.toString(number)).stripTrailingZeros();
    int exponent = number == 0 ? 0 : decimal.precision() - decimal.scale() - 1;
    String sign = number < 0 || 1 / number < 0 ? "-" : "";
    if (exponent >= -4 && exponent < 16) {
      String plain = decimal.abs().toPlainString();
      return sign + plain + (plain.contains(".") ? "" : ".0");
    }
    String digits = decimal.unscaledValue().abs().toString();
    return sign
        + digits.charAt(0)
        + (digits.length() > 1 ? "." + digits.substring(1) : "")
        + String.format("e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  // ---- JSON ----

  /**
   * How JSON is laid out.
   *
   * @param indent what a level is indented by; empty for one line
   * @param betweenElements what separates elements, {@code ", "} as a rule
   * @param behindKeys what follows a key, {@code ": "} as a rule
   * @param ascii whether other characters are escaped
   * @param sorted whether keys are in order
   */
  record JsonLayout(
      Optional<String> indent,
      String betweenElements,
      String behindKeys,
      boolean ascii,
      boolean sorted) {}

  /** The value as JSON, as Python's {@code json.dumps} writes it. */
  String json(Object value, JsonLayout layout) {
    StringBuilder out = new StringBuilder();
    json(value, layout, 0, out);
    return out.toString();
  }

  private void json(Object value, JsonLayout layout, int level, StringBuilder out) {
    budget.enter(2);
    switch (value) {
      case String string -> jsonText(string, layout.ascii(), out);
      case Boolean flag -> out.append(flag.booleanValue());
      case Long number -> out.append(number.longValue());
      case Double number -> out.append(jsonReal(number));
      case None none -> out.append("null");
      case List<?> list -> jsonList(list, layout, level, out);
      case Dict dict -> jsonDict(dict, layout, level, out);
      default -> throw new TemplateFault(Operators.kind(value) + " cannot be written as JSON");
    }
    budget.requireText(out.length());
    budget.leave(2);
  }

  private static String jsonReal(double number) {
    return switch (real(number)) {
      case "nan" -> "NaN";
      case "inf" -> "Infinity";
      case "-inf" -> "-Infinity";
      case String digits -> digits;
    };
  }

  private void jsonList(List<?> list, JsonLayout layout, int level, StringBuilder out) {
    out.append('[');
    String separator = "";
    for (Object element : list) {
      out.append(separator);
      newLine(layout, level + 1, out);
      json(element, layout, level + 1, out);
      separator = layout.betweenElements();
    }
    if (!list.isEmpty()) {
      newLine(layout, level, out);
    }
    out.append(']');
  }

  private void jsonDict(Dict dict, JsonLayout layout, int level, StringBuilder out) {
    out.append('{');
    String separator = "";
    for (Dict.Entry entry : entries(dict, layout.sorted())) {
      out.append(separator);
      newLine(layout, level + 1, out);
      jsonText(jsonKey(entry.key()), layout.ascii(), out);
      out.append(layout.behindKeys());
      json(entry.value(), layout, level + 1, out);
      separator = layout.betweenElements();
    }
    if (dict.size() > 0) {
      newLine(layout, level, out);
    }
    out.append('}');
  }

  private List<Dict.Entry> entries(Dict dict, boolean sorted) {
    List<Dict.Entry> entries = new ArrayList<>(dict.entries());
    if (sorted) {
      entries.sort((a, b) -> text.compare(jsonKey(a.key()), jsonKey(b.key())));
    }
    return entries;
  }

  private static String jsonKey(Object key) {
    return switch (key) {
      case String string -> string;
      case Boolean flag -> flag.toString();
      case Long number -> number.toString();
      case Double number -> jsonReal(number);
      case None none -> "null";
      default -> throw new TemplateFault(Operators.kind(key) + " cannot be a key in JSON");
    };
  }

  private void newLine(JsonLayout layout, int level, StringBuilder out) {
    layout.indent().ifPresent(indent -> out.append('\n').append(text.repeated(indent, level)));
  }

  private void jsonText(String string, boolean ascii, StringBuilder out) {
    out.append('"');
    for (int point : text.points(string)) {
      append(point, jsonEscape(text.alphabet().open(point), ascii), out);
    }
    out.append('"');
  }

  private static String jsonEscape(int plain, boolean ascii) {
    return switch (plain) {
      case '"' -> "\\\"";
      case '\\' -> "\\\\";
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      case '\b' -> "\\b";
      case '\f' -> "\\f";
      default -> {
        if (plain >= ' ' && (!ascii || plain < 0x7F)) {
          yield "";
        }
        StringBuilder escape = new StringBuilder();
        for (char unit : Character.toChars(plain)) {
          escape.append(String.format("\\u%04x", (int) unit));
        }
        yield escape.toString();
      }
    };
  }
}
