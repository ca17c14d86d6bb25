package dev.tandem.text.chat;

import dev.tandem.text.chat.Expression.Comparator;
import java.util.List;

/** Jinja's tests: what stands behind {@code is}. */
final class Tests {
  private Tests() {}

  /** Whether a value passes a test. */
  static boolean holds(Rendering run, String name, Object value, Arguments given) {
    return switch (name) {
      case "eq", "equalto", "==" -> compared(run, Comparator.EQUAL, name, value, given);
      case "ne", "!=" -> compared(run, Comparator.NOT_EQUAL, name, value, given);
      case "lt", "lessthan", "<" -> compared(run, Comparator.LESS, name, value, given);
      case "le", "<=" -> compared(run, Comparator.LESS_OR_EQUAL, name, value, given);
      case "gt", "greaterthan", ">" -> compared(run, Comparator.GREATER, name, value, given);
      case "ge", ">=" -> compared(run, Comparator.GREATER_OR_EQUAL, name, value, given);
      case "in" -> compared(run, Comparator.IN, name, value, given);
      case "sameas" -> isSame(value, given.bind(name, "other").get("other"));
      case "divisibleby" -> remainder(value, given.bind(name, "num").get("num")) == 0;
      default -> {
        given.bind(name);
        yield holds(run, name, value);
      }
    };
  }

  private static boolean holds(Rendering run, String name, Object value) {
    return switch (name) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value instanceof None;
      case "boolean" -> value instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "integer" -> value instanceof Long;
      case "float" -> value instanceof Double;
      case "number" -> Operators.number(value).isPresent();
      case "string" -> value instanceof String;
      case "mapping" -> value instanceof Dict;
      case "sequence" ->
          value instanceof String || value instanceof List<?> || value instanceof Dict;
      case "iterable" ->
          value instanceof String
              || value instanceof List<?>
              || value instanceof Dict
              || value instanceof Undefined;
      case "callable" -> value instanceof Callable;
      case "escaped" -> false;
      case "even" -> remainder(value, 2L) == 0;
      case "odd" -> remainder(value, 2L) == 1;
      case "lower" -> inCase(run, value, "islower");
      case "upper" -> inCase(run, value, "isupper");
      default ->
          throw new TemplateFault(
              "there is no test '"
                  + name
                  + "'; there are: boolean, callable, defined, divisibleby, eq, escaped, even,"
                  + " false, float, ge, gt, in, integer, iterable, le, lower, lt, mapping, ne,"
                  + " none, number, odd, sameas, sequence, string, true, undefined, upper");
    };
  }

  private static boolean compared(
      Rendering run, Comparator comparator, String name, Object value, Arguments given) {
    return run.operators().compare(comparator, value, given.bind(name, "other").get("other"));
  }

  /** Whether two are one; equal texts and numbers cannot be told apart. */
  private static boolean isSame(Object a, Object b) {
    return a == b || a.getClass() == b.getClass() && !(a instanceof List<?>) && a.equals(b);
  }

  private static long remainder(Object value, Object divisor) {
    long by = Operators.integer(divisor).orElse(0L);
    if (by == 0) {
      throw new TemplateFault("a test divides by " + Operators.kind(divisor));
    }
    return Math.floorMod(
        Operators.integer(value)
            .orElseThrow(() ->
                new TemplateFault("a test divides " + Operators.kind(value) + ", no whole number")),
        by);
  }

  private static boolean inCase(Rendering run, Object value, String method) {
    return Operators.isTrue(
        run.evaluator().method(run.printed(value), method).orElseThrow().call(Arguments.NONE));
  }
}
