package dev.tandem.text.chat;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Texts with places for values: {@code '%s' % value} and {@code '{}'.format(value)}. Fields name
 * arguments and nothing inside of them. Of one rendering.
 */
final class TextFormat {
  private static final int WIDEST = 1000;

  /** Behind the {@code %}: a name, flags, width, precision and conversion; no part is long. */
  private static final Pattern DIRECTIVE =
      Pattern.compile(
          "(?:\\(([^()]{0,64})\\))?([-+ 0]{0,4})([0-9]{0,4})(?:\\.([0-9]{1,4}))?([srdifxX%])");

  private final MarkedText text;
  private final Operators operators;
  private final Printer printer;

  TextFormat(MarkedText text, Operators operators, Printer printer) {
    this.text = text;
    this.operators = operators;
    this.printer = printer;
  }

  // ---- '{}' ----

  String braces(String pattern, Arguments given) {
    int[] points = text.points(pattern);
    List<String> parts = new ArrayList<>();
    int automatic = 0;
    int start = 0;
    for (int at = 0; at < points.length; at++) {
      int c = text.alphabet().open(points[at]);
      if (c != '{' && c != '}') {
        continue;
      }
      parts.add(text.text(points, start, at));
      if (at + 1 < points.length && text.alphabet().open(points[at + 1]) == c) {
        parts.add(Character.toString(points[at]));
        at++;
      } else {
        int end = c == '{' ? end(points, at) : -1;
        if (end < 0) {
          throw new TemplateFault("format: a brace has no partner");
        }
        String field = text.open(text.text(points, at + 1, end));
        boolean counted = field.isEmpty() || field.startsWith("!");
        parts.add(field(counted ? automatic++ + field : field, given));
        at = end;
      }
      start = at + 1;
    }
    parts.add(text.text(points, start, points.length));
    return text.concatenated(parts);
  }

  private int end(int[] points, int from) {
    for (int at = from; at < points.length; at++) {
      if (text.alphabet().open(points[at]) == '}') {
        return at;
      }
    }
    return -1;
  }

  private String field(String field, Arguments given) {
    boolean represented = field.endsWith("!r");
    String name =
        represented || field.endsWith("!s") ? field.substring(0, field.length() - 2) : field;
    Object value = given.named().get(name);
    if (value == null && name.matches("[0-9]{1,4}")) {
      int index = Integer.parseInt(name);
      value = index < given.positional().size() ? given.positional().get(index) : null;
    }
    if (value == null) {
      throw new TemplateFault("format: there is no value for the field {" + field + "}");
    }
    return represented ? printer.represented(value) : printer.printed(value);
  }

  // ---- '%s' ----

  String percent(String pattern, Object values) {
    List<?> list = values instanceof Tuple tuple ? tuple : List.of(values);
    int[] points = text.points(pattern);
    List<String> parts = new ArrayList<>();
    int used = 0;
    int start = 0;
    int at = 0;
    while (at < points.length) {
      if (text.alphabet().open(points[at]) != '%') {
        at++;
        continue;
      }
      parts.add(text.text(points, start, at));
      Directive directive = directive(points, at);
      if (directive.conversion() == '%') {
        parts.add(Character.toString(points[at]));
      } else if (!directive.key().isEmpty()) {
        parts.add(converted(directive, entry(values, directive.key())));
      } else if (used == list.size()) {
        throw new TemplateFault("'%': there are too few values");
      } else {
        parts.add(converted(directive, list.get(used++)));
      }
      at = directive.end();
      start = at;
    }
    if (used < list.size() && !(values instanceof Dict)) {
      throw new TemplateFault("'%': there are too many values");
    }
    parts.add(text.text(points, start, points.length));
    return text.concatenated(parts);
  }

  /**
   * A place for a value.
   *
   * @param key the value's name in a dict; empty if it is taken in turn
   * @param flags of {@code -+ 0}
   * @param precision -1 if none is given
   * @param end where it ends in the pattern
   */
  private record Directive(
      String key, String flags, int width, int precision, int conversion, int end) {}

  private Directive directive(int[] points, int start) {
    String rest = text.open(text.text(points, start + 1, Math.min(points.length, start + 100)));
    Matcher matcher = DIRECTIVE.matcher(rest);
    if (!matcher.lookingAt()) {
      throw new TemplateFault("'%': only the conversions s r d i f x X are supported");
    }
    String key = matcher.group(1) == null ? "" : matcher.group(1);
    int width = matcher.group(3).isEmpty() ? 0 : Integer.parseInt(matcher.group(3));
    int precision = matcher.group(4) == null ? -1 : Integer.parseInt(matcher.group(4));
    if (width > WIDEST || precision > WIDEST) {
      throw new TemplateFault("'%': a width is more than " + WIDEST);
    }
    int end = start + 1 + rest.codePointCount(0, matcher.end());
    return new Directive(key, matcher.group(2), width, precision, matcher.group(5).charAt(0), end);
  }

  private Object entry(Object values, String key) {
    if (values instanceof Dict dict) {
      return dict.get(key).orElseThrow(() -> new TemplateFault("'%': there is no value " + key));
    }
    throw new TemplateFault("'%': a name needs a dict of values");
  }

  private String converted(Directive directive, Object value) {
    String converted =
        switch (directive.conversion()) {
          case 's' -> shortened(printer.printed(value), directive.precision());
          case 'r' -> shortened(printer.represented(value), directive.precision());
          default -> number(directive, value);
        };
    String fill = text.repeated(" ", (long) directive.width() - text.length(converted));
    return directive.flags().contains("-")
        ? text.concatenated(List.of(converted, fill))
        : text.concatenated(List.of(fill, converted));
  }

  private String shortened(String string, int precision) {
    return precision < 0
        ? string
        : (String) operators.slice(string, None.NONE, (long) precision, None.NONE);
  }

  private static String number(Directive directive, Object value) {
    double real =
        Operators.number(value)
            .orElseThrow(
                () -> new TemplateFault("'%': a number is expected, not " + Operators.kind(value)));
    if (!Double.isFinite(real)) {
      return Printer.real(real);
    }
    BigDecimal exact =
        Operators.integer(value).map(BigDecimal::new).orElseGet(() -> new BigDecimal(real));
    boolean fixed = directive.conversion() == 'f';
    int places = !fixed ? 0 : directive.precision() < 0 ? 6 : directive.precision();
    BigDecimal rounded =
        exact.abs().setScale(places, fixed ? RoundingMode.HALF_EVEN : RoundingMode.DOWN);
    String digits =
        switch (directive.conversion()) {
          case 'x' -> rounded.toBigInteger().toString(16);
          case 'X' -> rounded.toBigInteger().toString(16).toUpperCase(Locale.ROOT);
          default -> rounded.toPlainString();
        };
    String flags = directive.flags();
    String sign =
        exact.signum() < 0 ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
    int zeros =
        flags.contains("0") && !flags.contains("-")
            ? directive.width() - sign.length() - digits.length()
            : directive.precision() < 0 || fixed ? 0 : directive.precision() - digits.length();
    return sign + "0".repeat(Math.max(0, zeros)) + digits;
  }
}
