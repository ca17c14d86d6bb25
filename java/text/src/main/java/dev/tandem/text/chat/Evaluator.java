package dev.tandem.text.chat;

import dev.tandem.text.chat.Expression.Given;
import dev.tandem.text.chat.Expression.Operator;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds out what expressions are worth.
 *
 * <p>There are texts, numbers, booleans, none, lists and dicts, and what a template makes itself:
 * namespaces, macros, loops. Attributes are those of dicts and namespaces, and the methods of
 * texts, lists and dicts that are written down here. No name, whatever it is, leads to an object or
 * a class of Java: nothing here looks for one. Of one rendering.
 */
final class Evaluator {
  private final Rendering run;
  private final TextMethods textMethods;
  private final CollectionMethods collectionMethods;

  Evaluator(Rendering run) {
    this.run = run;
    textMethods = new TextMethods(run.text(), run.operators(), run.format());
    collectionMethods = new CollectionMethods(run.operators(), run.budget());
  }

  /** The value of an expression in the present scope. */
  Object evaluate(Expression expression) {
    run.budget().enter(1);
    run.budget().pay(1);
    Object value =
        switch (expression) {
          case Expression.Constant constant -> constant.value();
          case Expression.Name name -> run.scope().get(name.name());
          case Expression.ListOf list -> all(list.elements());
          case Expression.TupleOf tuple -> new Tuple(all(tuple.elements()));
          case Expression.DictOf dict -> dict(dict);
          case Expression.Attribute attribute ->
              attribute(evaluate(attribute.base()), attribute.name());
          case Expression.Item item -> item(evaluate(item.base()), evaluate(item.index()));
          case Expression.Slice slice ->
              run.operators()
                  .slice(
                      evaluate(slice.base()),
                      boundary(slice.from()),
                      boundary(slice.to()),
                      boundary(slice.step()));
          case Expression.Call call -> call(call, Map.of());
          case Expression.Filtered filtered -> filter(filtered);
          case Expression.Tested test -> test(test);
          case Expression.Not not -> !Operators.isTrue(evaluate(not.operand()));
          case Expression.Sign sign ->
              run.operators().signed(sign.negative(), evaluate(sign.operand()));
          case Expression.Arithmetic arithmetic -> arithmetic(arithmetic);
          case Expression.Concatenation concatenation -> concatenation(concatenation);
          case Expression.Comparison comparison -> comparison(comparison);
          case Expression.And and -> {
            Object left = evaluate(and.left());
            yield Operators.isTrue(left) ? evaluate(and.right()) : left;
          }
          case Expression.Or or -> {
            Object left = evaluate(or.left());
            yield Operators.isTrue(left) ? left : evaluate(or.right());
          }
          case Expression.Choice choice ->
              Operators.isTrue(evaluate(choice.condition()))
                  ? evaluate(choice.then())
                  : choice
                      .otherwise()
                      .map(this::evaluate)
                      .orElseGet(() -> new Undefined("the else of an if"));
        };
    run.budget().leave(1);
    return value;
  }

  private List<Object> all(List<Expression> expressions) {
    List<Object> values = new ArrayList<>(expressions.size());
    expressions.forEach(expression -> values.add(evaluate(expression)));
    return values;
  }

  private Dict dict(Expression.DictOf expression) {
    Dict dict = new Dict();
    for (Expression.Pair pair : expression.entries()) {
      Object key = evaluate(pair.key());
      dict.put(run.operators().key(key), key, evaluate(pair.value()));
    }
    return dict;
  }

  private Object boundary(Optional<Expression> expression) {
    return expression.map(this::evaluate).orElse(None.NONE);
  }

  private boolean test(Expression.Tested test) {
    Object value = evaluate(test.base());
    return Tests.holds(run, test.name(), value, arguments(test.arguments(), Map.of()));
  }

  private Object filter(Expression.Filtered filtered) {
    Object value = evaluate(filtered.base());
    return Filters.named(filtered.name())
        .apply(run, value, arguments(filtered.arguments(), Map.of()));
  }

  private Object arithmetic(Expression.Arithmetic arithmetic) {
    Object left = evaluate(arithmetic.left());
    Object right = evaluate(arithmetic.right());
    return arithmetic.operator() == Operator.MODULO && left instanceof String pattern
        ? run.format().percent(pattern, right)
        : run.operators().apply(arithmetic.operator(), left, right);
  }

  private String concatenation(Expression.Concatenation concatenation) {
    List<String> parts = new ArrayList<>();
    concatenation.parts().forEach(part -> parts.add(run.printed(evaluate(part))));
    return run.text().concatenated(parts);
  }

  private boolean comparison(Expression.Comparison comparison) {
    Object left = evaluate(comparison.first());
    for (Expression.Link link : comparison.links()) {
      Object right = evaluate(link.operand());
      if (!run.operators().compare(link.comparator(), left, right)) {
        return false;
      }
      left = right;
    }
    return true;
  }

  // ---- attributes ----

  /** {@code base.name}: a method before an entry, as in Jinja. */
  Object attribute(Object base, String name) {
    return switch (base) {
      case Undefined undefined -> throw notDefined(undefined);
      case Namespace namespace -> namespace.get(name);
      case Loop loop -> loop.attribute(name);
      case Dict dict ->
          method(dict, name)
              .<Object>map(method -> method)
              .or(() -> dict.get(name))
              .orElseGet(() -> new Undefined(name));
      default ->
          method(base, name).<Object>map(method -> method).orElseGet(() -> new Undefined(name));
    };
  }

  /** {@code base[index]}: an entry before a method. */
  Object item(Object base, Object index) {
    if (base instanceof Undefined undefined) {
      throw notDefined(undefined);
    }
    if (base instanceof Dict dict) {
      Optional<Object> entry = dict.get(run.operators().key(index));
      if (entry.isPresent()) {
        return entry.get();
      }
    } else if (Operators.integer(index).isPresent()) {
      return run.operators().element(base, Operators.integer(index).get());
    }
    return index instanceof String name
        ? attribute(base, run.text().open(name))
        : new Undefined("the element at " + Operators.kind(index));
  }

  private static TemplateFault notDefined(Undefined undefined) {
    return new TemplateFault("'" + undefined.name() + "' is not defined");
  }

  /** A method of a text, a list or a dict. */
  Optional<Callable> method(Object base, String name) {
    return switch (base) {
      case String string -> textMethods.find(string, name);
      case Dict dict -> collectionMethods.find(dict, name);
      case List<?> list -> collectionMethods.find(objects(list), name);
      default -> Optional.empty();
    };
  }

  /** All lists of a template are of objects. */
  @SuppressWarnings("unchecked")
  private static List<Object> objects(List<?> list) {
    return (List<Object>) list;
  }

  // ---- calls ----

  /**
   * Calls a function, a method or a macro.
   *
   * @param more named arguments beside those that are written
   */
  Object call(Expression.Call call, Map<String, Object> more) {
    Object callee = evaluate(call.callee());
    if (callee instanceof Callable callable) {
      Arguments arguments = arguments(call.arguments(), more);
      run.budget().enter(3);
      Object value = callable.call(arguments);
      run.budget().leave(3);
      return value;
    }
    throw new TemplateFault(
        callee instanceof Undefined undefined
            ? "there is no function or method '" + undefined.name() + "'"
            : Operators.kind(callee) + " cannot be called");
  }

  private Arguments arguments(Given given, Map<String, Object> more) {
    Map<String, Object> named = new LinkedHashMap<>(more);
    List<Object> positional = all(given.positional());
    given.named().forEach(argument -> named.put(argument.name(), evaluate(argument.value())));
    return new Arguments(positional, named);
  }
}
