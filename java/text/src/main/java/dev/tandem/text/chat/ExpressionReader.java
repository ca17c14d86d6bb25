package dev.tandem.text.chat;

import dev.tandem.text.chat.Expression.Comparator;
import dev.tandem.text.chat.Expression.Given;
import dev.tandem.text.chat.Expression.Link;
import dev.tandem.text.chat.Expression.Operator;
import dev.tandem.text.chat.ExpressionScanner.Kind;
import dev.tandem.text.chat.ExpressionScanner.Token;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Reads expressions, by Jinja's grammar: one method for each level of precedence, the weakest
 * first.
 */
final class ExpressionReader extends TokenReader {
  private static final int DEEPEST = 100;
  private int depth;

  /**
   * A reader of what a tag or an expression says.
   *
   * @param privatePoints takes the private characters of texts, escaped ones too
   */
  ExpressionReader(String source, BitSet privatePoints) {
    super(ExpressionScanner.scan(source));
    addPrivate(privatePoints);
  }

  /** One expression, or several with commas between: a tuple. */
  Expression tuple() {
    return tuple(this::expression);
  }

  /** The same without {@code if} outside of parentheses, which means something else to a loop. */
  Expression tupleWithoutChoice() {
    return tuple(this::or);
  }

  private Expression tuple(Supplier<Expression> element) {
    Expression first = element.get();
    if (!peek().is(",")) {
      return first;
    }
    List<Expression> elements = new ArrayList<>(List.of(first));
    while (skip(",") && startsExpression()) {
      elements.add(element.get());
    }
    return new Expression.TupleOf(elements);
  }

  /** Filters behind a value: {@code | upper | trim}. */
  Expression filters(Expression base) {
    Expression value = base;
    while (skip("|")) {
      value = filter(value);
    }
    return value;
  }

  // ---- the grammar ----

  Expression expression() {
    return deeper(() -> {
      Expression value = or();
      while (skipWord("if")) {
        Expression condition = or();
        Optional<Expression> otherwise =
            skipWord("else") ? Optional.of(expression()) : Optional.empty();
        value = new Expression.Choice(condition, value, otherwise);
      }
      return value;
    });
  }

  private Expression or() {
    Expression left = and();
    while (skipWord("or")) {
      left = new Expression.Or(left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (skipWord("and")) {
      left = new Expression.And(left, not());
    }
    return left;
  }

  private Expression not() {
    return skipWord("not") ? deeper(() -> new Expression.Not(not())) : comparison();
  }

  private Expression comparison() {
    Expression first = sum();
    List<Link> links = new ArrayList<>();
    for (Optional<Comparator> c = comparator(); c.isPresent(); c = comparator()) {
      links.add(new Link(c.get(), sum()));
    }
    return links.isEmpty() ? first : new Expression.Comparison(first, links);
  }

  private Optional<Comparator> comparator() {
    if (peek().isWord("not") && peek(1).isWord("in")) {
      next();
      next();
      return Optional.of(Comparator.NOT_IN);
    }
    for (Comparator comparator : Comparator.values()) {
      if (skip(comparator.sign()) || comparator == Comparator.IN && skipWord("in")) {
        return Optional.of(comparator);
      }
    }
    return Optional.empty();
  }

  private Expression sum() {
    Expression left = concatenation();
    while (true) {
      if (skip("+")) {
        left = new Expression.Arithmetic(Operator.ADD, left, concatenation());
      } else if (skip("-")) {
        left = new Expression.Arithmetic(Operator.SUBTRACT, left, concatenation());
      } else {
        return left;
      }
    }
  }

  private Expression concatenation() {
    Expression first = product();
    if (!peek().is("~")) {
      return first;
    }
    List<Expression> parts = new ArrayList<>(List.of(first));
    while (skip("~")) {
      parts.add(product());
    }
    return new Expression.Concatenation(parts);
  }

  private Expression product() {
    Expression left = power();
    while (true) {
      Optional<Operator> operator = Optional.empty();
      for (Operator candidate :
          List.of(Operator.MULTIPLY, Operator.DIVIDE, Operator.FLOOR_DIVIDE, Operator.MODULO)) {
        if (operator.isEmpty() && skip(candidate.sign())) {
          operator = Optional.of(candidate);
        }
      }
      if (operator.isEmpty()) {
        return left;
      }
      left = new Expression.Arithmetic(operator.get(), left, power());
    }
  }

  private Expression power() {
    Expression left = unary(true);
    while (skip("**")) {
      left = new Expression.Arithmetic(Operator.POWER, left, unary(true));
    }
    return left;
  }

  private Expression unary(boolean withFilters) {
    Expression value;
    if (skip("-")) {
      value = deeper(() -> new Expression.Sign(true, unary(false)));
    } else if (skip("+")) {
      value = deeper(() -> new Expression.Sign(false, unary(false)));
    } else {
      value = postfix(primary());
    }
    return withFilters ? filtersAndTests(value) : value;
  }

  private Expression primary() {
    Token token = next();
    return switch (token.kind()) {
      case TEXT -> {
        StringBuilder text = new StringBuilder(token.text());
        while (peek().kind() == Kind.TEXT) {
          text.append(next().text());
        }
        yield new Expression.Constant(text.toString());
      }
      case NUMBER -> new Expression.Constant(token.value());
      case NAME -> named(token);
      case SIGN ->
          switch (token.text()) {
            case "(" -> parenthesized();
            case "[" -> new Expression.ListOf(elements("]"));
            case "{" -> dict();
            default -> throw notExpected(token);
          };
      case END -> throw notExpected(token);
    };
  }

  private static Expression named(Token token) {
    return switch (token.text()) {
      case "true", "True" -> new Expression.Constant(true);
      case "false", "False" -> new Expression.Constant(false);
      case "none", "None" -> new Expression.Constant(None.NONE);
      case String name when RESERVED.contains(name) -> throw notExpected(token);
      default -> new Expression.Name(token.text());
    };
  }

  private static TemplateFault notExpected(Token token) {
    return new TemplateFault("a value is expected instead of " + token.shown());
  }

  private Expression parenthesized() {
    if (skip(")")) {
      return new Expression.TupleOf(List.of());
    }
    Expression value = tuple();
    require(")");
    return value;
  }

  private List<Expression> elements(String end) {
    List<Expression> elements = new ArrayList<>();
    while (!skip(end)) {
      elements.add(expression());
      if (!peek().is(end)) {
        require(",");
      }
    }
    return elements;
  }

  private Expression dict() {
    List<Expression.Pair> entries = new ArrayList<>();
    while (!skip("}")) {
      Expression key = expression();
      require(":");
      entries.add(new Expression.Pair(key, expression()));
      if (!peek().is("}")) {
        require(",");
      }
    }
    return new Expression.DictOf(entries);
  }

  private Expression postfix(Expression base) {
    Expression value = base;
    while (true) {
      if (skip(".")) {
        value = attribute(value);
      } else if (skip("[")) {
        value = subscript(value);
      } else if (skip("(")) {
        value = new Expression.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expression attribute(Expression base) {
    Token token = next();
    if (token.kind() == Kind.NAME) {
      return new Expression.Attribute(base, token.text());
    }
    if (token.value() instanceof Long) {
      return new Expression.Item(base, new Expression.Constant(token.value()));
    }
    throw new TemplateFault("a name is expected behind '.', not " + token.shown());
  }

  private Expression subscript(Expression base) {
    Optional<Expression> from = boundary();
    if (!skip(":")) {
      require("]");
      return new Expression.Item(
          base,
          from.orElseThrow(() -> new TemplateFault("an index is missing between '[' and ']'")));
    }
    Optional<Expression> to = boundary();
    Optional<Expression> step = skip(":") ? boundary() : Optional.empty();
    require("]");
    return new Expression.Slice(base, from, to, step);
  }

  private Optional<Expression> boundary() {
    return peek().is(":") || peek().is("]") ? Optional.empty() : Optional.of(tuple());
  }

  private Expression filtersAndTests(Expression base) {
    Expression value = base;
    while (true) {
      if (skip("|")) {
        value = filter(value);
      } else if (skipWord("is")) {
        value = test(value);
      } else if (skip("(")) {
        value = new Expression.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /** One filter, of which the bar was read or is not written. */
  Expression filter(Expression base) {
    String name = name();
    return new Expression.Filtered(base, name, skip("(") ? arguments() : Given.NONE);
  }

  private Expression test(Expression base) {
    boolean negated = skipWord("not");
    Token name = next();
    if (name.kind() != Kind.NAME) {
      throw new TemplateFault("a test is expected behind 'is', not " + name.shown());
    }
    Given arguments = Given.NONE;
    if (skip("(")) {
      arguments = arguments();
    } else if (startsTestArgument()) {
      arguments = new Given(List.of(postfix(primary())), List.of());
    }
    Expression test = new Expression.Tested(base, name.text(), arguments);
    return negated ? new Expression.Not(test) : test;
  }

  private boolean startsTestArgument() {
    return peek().kind() == Kind.NAME
        ? !RESERVED.contains(peek().text()) || isConstant(peek().text())
        : startsExpression() && !peek().is("-") && !peek().is("+");
  }

  private static boolean isConstant(String word) {
    return switch (word) {
      case "true", "True", "false", "False", "none", "None" -> true;
      default -> false;
    };
  }

  private boolean startsExpression() {
    Token token = peek();
    return switch (token.kind()) {
      case TEXT, NUMBER -> true;
      case NAME ->
          !RESERVED.contains(token.text()) || isConstant(token.text()) || token.isWord("not");
      case SIGN -> List.of("(", "[", "{", "-", "+").contains(token.text());
      case END -> false;
    };
  }

  /** Arguments, of which the parenthesis was read. */
  private Given arguments() {
    List<Expression> positional = new ArrayList<>();
    List<Expression.Named> named = new ArrayList<>();
    while (!skip(")")) {
      if (peek().is("*") || peek().is("**")) {
        throw new TemplateFault("arguments from a list or a dict (*, **) are not supported");
      }
      if (peek().kind() == Kind.NAME && peek(1).is("=")) {
        String name = next().text();
        next();
        named.add(new Expression.Named(name, expression()));
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw new TemplateFault("an argument without a name stands behind one with a name");
      }
      if (!peek().is(")")) {
        require(",");
      }
    }
    return new Given(positional, named);
  }

  private Expression deeper(Supplier<Expression> reading) {
    if (++depth > DEEPEST) {
      throw new TemplateFault("an expression is nested more than " + DEEPEST + " deep");
    }
    Expression value = reading.get();
    depth--;
    return value;
  }
}
