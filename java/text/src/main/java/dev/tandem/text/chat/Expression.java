package dev.tandem.text.chat;

import java.util.List;
import java.util.Optional;

/** An expression of a template, as read. */
sealed interface Expression {

  /** A text, a number, true, false or none. */
  record Constant(Object value) implements Expression {}

  /** A variable. */
  record Name(String name) implements Expression {}

  /** {@code [a, b]}. */
  record ListOf(List<Expression> elements) implements Expression {}

  /** {@code (a, b)}. */
  record TupleOf(List<Expression> elements) implements Expression {}

  /** {@code {k: v}}. */
  record DictOf(List<Pair> entries) implements Expression {}

  /** A key and its value. */
  record Pair(Expression key, Expression value) {}

  /** {@code base.name}. */
  record Attribute(Expression base, String name) implements Expression {}

  /** {@code base[index]}. */
  record Item(Expression base, Expression index) implements Expression {}

  /** {@code base[from:to:step]}. */
  record Slice(
      Expression base,
      Optional<Expression> from,
      Optional<Expression> to,
      Optional<Expression> step)
      implements Expression {}

  /** {@code callee(a, name=b)}. */
  record Call(Expression callee, Given arguments) implements Expression {}

  /** {@code base | name(a)}. */
  record Filtered(Expression base, String name, Given arguments) implements Expression {}

  /** {@code base is name(a)}. */
  record Tested(Expression base, String name, Given arguments) implements Expression {}

  /** {@code not a}. */
  record Not(Expression operand) implements Expression {}

  /** {@code -a}; or {@code +a}, which only checks that it is a number. */
  record Sign(boolean negative, Expression operand) implements Expression {}

  /** {@code a + b} and the like. */
  record Arithmetic(Operator operator, Expression left, Expression right) implements Expression {}

  /** {@code a ~ b ~ c}: texts put together. */
  record Concatenation(List<Expression> parts) implements Expression {}

  /** {@code a < b <= c}: each operand is compared with the next. */
  record Comparison(Expression first, List<Link> links) implements Expression {}

  /** A comparison with the next operand. */
  record Link(Comparator comparator, Expression operand) {}

  /** {@code a and b}: the first operand that decides. */
  record And(Expression left, Expression right) implements Expression {}

  /** {@code a or b}: the first operand that decides. */
  record Or(Expression left, Expression right) implements Expression {}

  /** {@code a if condition else b}. */
  record Choice(Expression condition, Expression then, Optional<Expression> otherwise)
      implements Expression {}

  /** Arguments as written. */
  record Given(List<Expression> positional, List<Named> named) {
    static final Given NONE = new Given(List.of(), List.of());
  }

  /** An argument with a name. */
  record Named(String name, Expression value) {}

  /** Operators of arithmetic. */
  enum Operator {
    ADD("+"),
    SUBTRACT("-"),
    MULTIPLY("*"),
    DIVIDE("/"),
    FLOOR_DIVIDE("//"),
    MODULO("%"),
    POWER("**");

    private final String sign;

    Operator(String sign) {
      this.sign = sign;
    }

    String sign() {
      return sign;
    }
  }

  /** Operators of comparison. */
  enum Comparator {
    EQUAL("=="),
    NOT_EQUAL("!="),
    LESS("<"),
    LESS_OR_EQUAL("<="),
    GREATER(">"),
    GREATER_OR_EQUAL(">="),
    IN("in"),
    NOT_IN("not in");

    private final String sign;

    Comparator(String sign) {
      this.sign = sign;
    }

    String sign() {
      return sign;
    }
  }
}
