package dev.tandem.text.chat;

import dev.tandem.text.chat.Expression.Comparator;
import dev.tandem.text.chat.Expression.Operator;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * What operators do with values, as in Python. Texts are compared by what they say. Of one
 * rendering.
 */
final class Operators {
  private final MarkedText text;
  private final Budget budget;

  Operators(MarkedText text, Budget budget) {
    this.text = text;
    this.budget = budget;
  }

  // ---- values ----

  /** Whether a value counts as true. */
  static boolean isTrue(Object value) {
    return switch (value) {
      case Boolean flag -> flag;
      case Long number -> number != 0;
      case Double number -> number != 0;
      case String string -> !string.isEmpty();
      case List<?> list -> !list.isEmpty();
      case Dict dict -> dict.size() > 0;
      case None none -> false;
      case Undefined undefined -> false;
      default -> true;
    };
  }

  /** What kind a value is of, for messages. */
  static String kind(Object value) {
    return switch (value) {
      case Boolean flag -> "a boolean";
      case Long number -> "a number";
      case Double number -> "a number";
      case String string -> "a text";
      case List<?> list -> "a list";
      case Dict dict -> "a dict";
      case None none -> "none";
      case Undefined undefined -> "'" + undefined.name() + "', which is not defined";
      case Namespace namespace -> "a namespace";
      case Callable callable -> "a function";
      default -> "an object";
    };
  }

  /** Integers and booleans, which count as 0 and 1. */
  static Optional<Long> integer(Object value) {
    return switch (value) {
      case Long number -> Optional.of(number);
      case Boolean flag -> Optional.of(flag ? 1L : 0L);
      default -> Optional.empty();
    };
  }

  static Optional<Double> number(Object value) {
    return value instanceof Double number
        ? Optional.of(number)
        : integer(value).map(Long::doubleValue);
  }

  /**
   * The value by which a dict finds an entry: equal for equal keys.
   *
   * @throws TemplateFault if it cannot be a key
   */
  Object key(Object value) {
    return switch (value) {
      case String string -> text.open(string);
      case Boolean flag -> flag ? 1L : 0L;
      case Long number -> number;
      case Double number when number == Math.rint(number) && Math.abs(number) < 1e15 ->
          number.longValue();
      case Double number -> number;
      case None none -> none;
      case Tuple tuple -> {
        budget.enter(2);
        budget.payList(tuple.size());
        List<Object> keys = new ArrayList<>(tuple.size());
        tuple.forEach(element -> keys.add(key(element)));
        budget.leave(2);
        yield keys;
      }
      default -> throw new TemplateFault(kind(value) + " cannot be the key of a dict");
    };
  }

  /**
   * The elements of what a loop or a filter goes through.
   *
   * @throws TemplateFault if it has none
   */
  List<Object> elements(Object value) {
    return switch (value) {
      case List<?> list -> {
        budget.payList(list.size());
        yield Collections.unmodifiableList(new ArrayList<>(list));
      }
      case String string -> text.characters(string);
      case Dict dict -> {
        budget.payList(dict.size());
        yield dict.keys();
      }
      case Undefined undefined -> List.of();
      default -> throw new TemplateFault(kind(value) + " has no elements to go through");
    };
  }

  // ---- comparison ----

  boolean compare(Comparator comparator, Object left, Object right) {
    return switch (comparator) {
      case EQUAL -> equal(left, right);
      case NOT_EQUAL -> !equal(left, right);
      case LESS -> order(left, right) < 0;
      case LESS_OR_EQUAL -> order(left, right) <= 0;
      case GREATER -> order(left, right) > 0;
      case GREATER_OR_EQUAL -> order(left, right) >= 0;
      case IN -> contains(right, left);
      case NOT_IN -> !contains(right, left);
    };
  }

  boolean equal(Object left, Object right) {
    budget.enter(1);
    budget.pay(1);
    boolean equal = areEqual(left, right);
    budget.leave(1);
    return equal;
  }

  private boolean areEqual(Object left, Object right) {
    if (left instanceof String a && right instanceof String b) {
      return text.open(a).equals(text.open(b));
    }
    if (left instanceof List<?> a && right instanceof List<?> b) {
      if (a.size() != b.size() || a instanceof Tuple != b instanceof Tuple) {
        return false;
      }
      for (int i = 0; i < a.size(); i++) {
        if (!equal(a.get(i), b.get(i))) {
          return false;
        }
      }
      return true;
    }
    if (left instanceof Dict a && right instanceof Dict b) {
      return a.size() == b.size()
          && a.plainKeys().stream()
              .allMatch(key ->
                  b.contains(key) && equal(a.get(key).orElseThrow(), b.get(key).orElseThrow()));
    }
    if (left instanceof Undefined) {
      return right instanceof Undefined;
    }
    Optional<Double> a = number(left);
    Optional<Double> b = number(right);
    if (a.isPresent() && b.isPresent()) {
      return orderOfNumbers(left, right) == 0;
    }
    return left == right;
  }

  /** Negative, zero or positive as one value is less than, equal to or greater than another. */
  int order(Object left, Object right) {
    if (left instanceof String a && right instanceof String b) {
      return text.compare(a, b);
    }
    if (left instanceof List<?> a && right instanceof List<?> b) {
      budget.enter(1);
      int order = 0;
      for (int i = 0; i < Math.min(a.size(), b.size()) && order == 0; i++) {
        order = equal(a.get(i), b.get(i)) ? 0 : order(a.get(i), b.get(i));
      }
      budget.leave(1);
      return order != 0 ? order : Integer.compare(a.size(), b.size());
    }
    if (number(left).isPresent() && number(right).isPresent()) {
      return orderOfNumbers(left, right);
    }
    throw new TemplateFault(kind(left) + " and " + kind(right) + " have no order");
  }

  private static int orderOfNumbers(Object left, Object right) {
    Optional<Long> a = integer(left);
    Optional<Long> b = integer(right);
    if (a.isPresent() && b.isPresent()) {
      return Long.compare(a.get(), b.get());
    }
    double x = number(left).orElseThrow();
    double y = number(right).orElseThrow();
    if (!Double.isFinite(x) || !Double.isFinite(y)) {
      return Double.compare(x, y);
    }
    return exact(left).compareTo(exact(right));
  }

  private static BigDecimal exact(Object number) {
    return number instanceof Double real
        ? new BigDecimal(real)
        : new BigDecimal(integer(number).orElseThrow());
  }

  boolean contains(Object container, Object element) {
    return switch (container) {
      case String string when element instanceof String part -> text.contains(string, part);
      case String string ->
          throw new TemplateFault(
              "in a text is looked for " + kind(element) + " instead of a text");
      case List<?> list -> list.stream().anyMatch(other -> equal(other, element));
      case Dict dict -> dict.contains(key(element));
      case Undefined undefined -> false;
      default -> throw new TemplateFault(kind(container) + " contains nothing");
    };
  }

  // ---- arithmetic ----

  Object apply(Operator operator, Object left, Object right) {
    Optional<Object> sequence =
        switch (operator) {
          case ADD -> joined(left, right);
          case MULTIPLY -> repeated(left, right).or(() -> repeated(right, left));
          default -> Optional.empty();
        };
    if (sequence.isPresent()) {
      return sequence.get();
    }
    Optional<Long> a = integer(left);
    Optional<Long> b = integer(right);
    if (a.isPresent() && b.isPresent() && !isReal(operator, b.get())) {
      try {
        return apply(operator, a.get().longValue(), b.get().longValue());
      } catch (ArithmeticException e) {
        throw new TemplateFault("the result of '" + operator.sign() + "' is too large");
      }
    }
    double x = number(left).orElseThrow(() -> unsuited(operator, left, right));
    double y = number(right).orElseThrow(() -> unsuited(operator, left, right));
    return apply(operator, x, y);
  }

  private static boolean isReal(Operator operator, long right) {
    return operator == Operator.DIVIDE || operator == Operator.POWER && right < 0;
  }

  /** Texts or lists put together, if they are that. */
  private Optional<Object> joined(Object left, Object right) {
    if (left instanceof String a && right instanceof String b) {
      return Optional.of(text.concatenated(List.of(a, b)));
    }
    if (left instanceof List<?> a
        && right instanceof List<?> b
        && a instanceof Tuple == b instanceof Tuple) {
      budget.payList((long) a.size() + b.size());
      List<Object> both = new ArrayList<>(a);
      both.addAll(b);
      return Optional.of(a instanceof Tuple ? new Tuple(both) : both);
    }
    return Optional.empty();
  }

  /** A text or a list several times, if it is that and the other one says how often. */
  private Optional<Object> repeated(Object sequence, Object count) {
    Optional<Long> times = integer(count);
    if (times.isEmpty()) {
      return Optional.empty();
    }
    if (sequence instanceof String string) {
      return Optional.of(text.repeated(string, times.get()));
    }
    if (sequence instanceof List<?> list) {
      long copies = list.isEmpty() ? 0 : Math.clamp(times.get(), 0, Integer.MAX_VALUE);
      budget.payList(copies * list.size());
      List<Object> all = new ArrayList<>();
      for (long i = 0; i < copies; i++) {
        all.addAll(list);
      }
      return Optional.of(list instanceof Tuple ? new Tuple(all) : all);
    }
    return Optional.empty();
  }

  private static Object apply(Operator operator, long a, long b) {
    return switch (operator) {
      case ADD -> Math.addExact(a, b);
      case SUBTRACT -> Math.subtractExact(a, b);
      case MULTIPLY -> Math.multiplyExact(a, b);
      case FLOOR_DIVIDE -> Math.floorDivExact(a, nonZero(b));
      case MODULO -> Math.floorMod(a, nonZero(b));
      case POWER -> power(a, b);
      case DIVIDE -> throw new IllegalArgumentException("a quotient is a real number");
    };
  }

  private static Object apply(Operator operator, double x, double y) {
    return switch (operator) {
      case ADD -> x + y;
      case SUBTRACT -> x - y;
      case MULTIPLY -> x * y;
      case DIVIDE -> x / nonZero(y);
      case FLOOR_DIVIDE -> Math.floor(x / nonZero(y));
      case MODULO -> x - Math.floor(x / nonZero(y)) * y;
      case POWER -> Math.pow(x, y);
    };
  }

  private static long power(long base, long exponent) {
    long result = 1;
    long square = base;
    for (long left = exponent; left > 0; left >>= 1) {
      if ((left & 1) == 1) {
        result = Math.multiplyExact(result, square);
      }
      if (left > 1) {
        square = Math.multiplyExact(square, square);
      }
    }
    return result;
  }

  private static long nonZero(long divisor) {
    if (divisor == 0) {
      throw new TemplateFault("a division by zero");
    }
    return divisor;
  }

  private static double nonZero(double divisor) {
    if (divisor == 0) {
      throw new TemplateFault("a division by zero");
    }
    return divisor;
  }

  private static TemplateFault unsuited(Operator operator, Object left, Object right) {
    return new TemplateFault(
        "'" + operator.sign() + "' cannot be used with " + kind(left) + " and " + kind(right));
  }

  /** {@code -value} or {@code +value}. */
  Object signed(boolean negative, Object value) {
    return value instanceof Double real
        ? negative ? -real : real
        : apply(negative ? Operator.SUBTRACT : Operator.ADD, 0L, value);
  }

  // ---- parts ----

  /** The element at an index that may count from the end; undefined if there is none. */
  Object element(Object sequence, long index) {
    return switch (sequence) {
      case List<?> list -> {
        long at = index < 0 ? index + list.size() : index;
        yield at >= 0 && at < list.size() ? list.get((int) at) : missing(index);
      }
      case String string -> {
        int[] points = text.points(string);
        long at = index < 0 ? index + points.length : index;
        yield at >= 0 && at < points.length ? Character.toString(points[(int) at]) : missing(index);
      }
      default -> missing(index);
    };
  }

  private static Undefined missing(long index) {
    return new Undefined("element " + index);
  }

  /** {@code sequence[from:to:step]}; a boundary that is not given is none. */
  Object slice(Object sequence, Object from, Object to, Object step) {
    if (sequence instanceof String string) {
      int[] points = text.points(string);
      SliceRange range = SliceRange.of(points.length, from, to, step);
      int[] out = new int[range.size()];
      for (int i = 0; i < out.length; i++) {
        out[i] = points[range.at(i)];
      }
      return text.text(out);
    }
    if (sequence instanceof List<?> list) {
      SliceRange range = SliceRange.of(list.size(), from, to, step);
      budget.payList(range.size());
      List<Object> out = new ArrayList<>(range.size());
      for (int i = 0; i < range.size(); i++) {
        out.add(list.get(range.at(i)));
      }
      return list instanceof Tuple ? new Tuple(out) : out;
    }
    throw new TemplateFault(kind(sequence) + " cannot be sliced");
  }

  /** The elements in the order of their keys, those of equal ones as they were. */
  List<Object> sorted(List<Object> elements, UnaryOperator<Object> key, boolean reverse) {
    record Keyed(Object key, Object element) {}

    budget.payList(elements.size());
    List<Keyed> keyed = new ArrayList<>(elements.size());
    elements.forEach(element -> keyed.add(new Keyed(key.apply(element), element)));
    java.util.Comparator<Keyed> byKey = (a, b) -> order(a.key(), b.key());
    keyed.sort(reverse ? byKey.reversed() : byKey);
    List<Object> sorted = new ArrayList<>(elements.size());
    keyed.forEach(entry -> sorted.add(entry.element()));
    return sorted;
  }
}
