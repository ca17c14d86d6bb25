package dev.tandem.text.chat;

import dev.tandem.text.chat.Arguments.Bound;
import dev.tandem.text.chat.Filters.Filter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Jinja's filters for the elements of a list, a dict or a text. */
final class ListFilters {
  static final Map<String, Filter> ALL =
      Map.ofEntries(
          Map.entry("dictsort", ListFilters::dictsort),
          Map.entry("first", (run, value, given) -> end(run, value, true)),
          Map.entry("groupby", ListFilters::groupBy),
          Map.entry("items", (run, value, given) -> items(run, value)),
          Map.entry("join", ListFilters::join),
          Map.entry("last", (run, value, given) -> end(run, value, false)),
          Map.entry("list", (run, value, given) -> copy(run, value)),
          Map.entry("map", ListFilters::map),
          Map.entry("max", (run, value, given) -> extreme(run, value, given, "max", true)),
          Map.entry("min", (run, value, given) -> extreme(run, value, given, "min", false)),
          Map.entry("reject", (run, value, given) -> selected(run, value, given, false, false)),
          Map.entry("rejectattr", (run, value, given) -> selected(run, value, given, true, false)),
          Map.entry("reverse", (run, value, given) -> reversed(run, value)),
          Map.entry("select", (run, value, given) -> selected(run, value, given, false, true)),
          Map.entry("selectattr", (run, value, given) -> selected(run, value, given, true, true)),
          Map.entry("sort", ListFilters::sort),
          Map.entry("sum", ListFilters::sum),
          Map.entry("unique", ListFilters::unique));

  private ListFilters() {}

  private static List<Object> copy(Rendering run, Object value) {
    return new ArrayList<>(run.operators().elements(value));
  }

  private static Object end(Rendering run, Object value, boolean first) {
    List<Object> elements = run.operators().elements(value);
    if (elements.isEmpty()) {
      return new Undefined(first ? "the first element" : "the last element");
    }
    return first ? elements.getFirst() : elements.getLast();
  }

  private static List<Object> items(Rendering run, Object value) {
    return switch (value) {
      case Dict dict -> {
        run.budget().payList(dict.size());
        yield dict.items();
      }
      case Undefined undefined -> List.of();
      default -> throw new TemplateFault("items takes a dict, not " + Operators.kind(value));
    };
  }

  private static Object reversed(Rendering run, Object value) {
    if (value instanceof String string) {
      return run.operators().slice(string, None.NONE, None.NONE, -1L);
    }
    List<Object> elements = copy(run, value);
    Collections.reverse(elements);
    return elements;
  }

  private static String join(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("join", "d", "attribute");
    UnaryOperator<Object> part = attribute(run, bound);
    List<String> parts = new ArrayList<>();
    for (Object element : run.operators().elements(value)) {
      parts.add(run.printed(part.apply(element)));
    }
    return run.text().joined(run.printed(bound.find("d").orElse("")), parts);
  }

  private static Object sum(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("sum", "attribute", "start");
    UnaryOperator<Object> part = attribute(run, bound);
    Object sum = bound.find("start").orElse(0L);
    for (Object element : run.operators().elements(value)) {
      sum = run.operators().apply(Expression.Operator.ADD, sum, part.apply(element));
    }
    return sum;
  }

  // ---- order ----

  private static Object sort(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("sort", "reverse", "case_sensitive", "attribute");
    return run.operators()
        .sorted(
            run.operators().elements(value),
            attributes(run, bound).andThen(caseless(run, bound))::apply,
            bound.flag("reverse", false));
  }

  private static Object dictsort(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("dictsort", "case_sensitive", "by", "reverse");
    int part =
        switch (run.text().open(run.printed(bound.find("by").orElse("key")))) {
          case "key" -> 0;
          case "value" -> 1;
          default -> throw new TemplateFault("dictsort: by is key or value");
        };
    UnaryOperator<Object> caseless = caseless(run, bound);
    return run.operators()
        .sorted(
            items(run, value),
            item -> caseless.apply(((Tuple) item).get(part)),
            bound.flag("reverse", false));
  }

  private static Object extreme(
      Rendering run, Object value, Arguments given, String name, boolean greatest) {
    Bound bound = given.bind(name, "case_sensitive", "attribute");
    List<Object> sorted =
        run.operators()
            .sorted(
                run.operators().elements(value),
                attribute(run, bound).andThen(caseless(run, bound))::apply,
                greatest);
    return sorted.isEmpty() ? new Undefined(name) : sorted.getFirst();
  }

  private static Object unique(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("unique", "case_sensitive", "attribute");
    Map<Object, Object> firsts = new LinkedHashMap<>();
    UnaryOperator<Object> part = attribute(run, bound);
    UnaryOperator<Object> caseless = caseless(run, bound);
    for (Object element : run.operators().elements(value)) {
      firsts.putIfAbsent(run.operators().key(caseless.apply(part.apply(element))), element);
    }
    return new ArrayList<>(firsts.values());
  }

  private static Object groupBy(Rendering run, Object value, Arguments given) {
    Bound bound = given.bind("groupby", "attribute", "default", "case_sensitive");
    UnaryOperator<Object> part = attribute(run, bound);
    UnaryOperator<Object> caseless = caseless(run, bound);
    List<Object> sorted =
        run.operators()
            .sorted(
                run.operators().elements(value),
                element -> caseless.apply(part.apply(element)),
                false);
    List<Object> groups = new ArrayList<>();
    List<Object> group = new ArrayList<>();
    for (Object element : sorted) {
      Object key = part.apply(element);
      if (group.isEmpty()
          || !run.operators()
              .equal(caseless.apply(key), caseless.apply(part.apply(group.getFirst())))) {
        group = new ArrayList<>();
        groups.add(new Tuple(List.of(key, group))); // which keeps the list itself
      }
      group.add(element);
    }
    return groups;
  }

  /** Texts in lower case, unless asked to tell cases apart. */
  private static UnaryOperator<Object> caseless(Rendering run, Bound bound) {
    return bound.flag("case_sensitive", false)
        ? UnaryOperator.identity()
        : value -> value instanceof String string ? run.text().lower(string) : value;
  }

  // ---- attributes ----

  /** What {@code attribute='a.b'} takes of an element; the element itself without it. */
  private static UnaryOperator<Object> attribute(Rendering run, Bound bound) {
    return bound
        .find("attribute")
        .filter(path -> !(path instanceof None))
        .map(path -> path(run, path, bound.find("default")))
        .orElse(UnaryOperator.identity());
  }

  /** The same for {@code attribute='a,b'}: several, compared in turn. */
  private static UnaryOperator<Object> attributes(Rendering run, Bound bound) {
    Object paths = bound.find("attribute").orElse(None.NONE);
    if (!(paths instanceof String string) || !run.text().contains(string, ",")) {
      return attribute(run, bound);
    }
    List<UnaryOperator<Object>> parts = new ArrayList<>();
    for (Object path : run.text().split(string, ",", -1)) {
      parts.add(path(run, path, Optional.empty()));
    }
    return element -> new Tuple(parts.stream().map(part -> part.apply(element)).toList());
  }

  private static UnaryOperator<Object> path(Rendering run, Object path, Optional<Object> missing) {
    List<Object> steps =
        path instanceof String string
            ? run.text().split(run.text().open(string), ".", -1)
            : List.of(path);
    return element -> {
      Object value = element;
      for (Object step : steps) {
        boolean index = step instanceof String string && string.matches("[0-9]{1,9}");
        Object key = index ? Long.valueOf((String) step) : step;
        value = run.evaluator().item(value, key);
        if (value instanceof Undefined && missing.isPresent()) {
          return missing.get();
        }
      }
      return value;
    };
  }

  // ---- other filters and tests ----

  /** None and the like have no elements for these filters; others reject it. */
  private static List<Object> elementsIfAny(Rendering run, Object value) {
    return Operators.isTrue(value) ? run.operators().elements(value) : List.of();
  }

  private static Object map(Rendering run, Object value, Arguments given) {
    UnaryOperator<Object> change;
    if (given.positional().isEmpty()) {
      change = attribute(run, given.bind("map", "attribute", "default"));
    } else {
      Filter filter = Filters.named(run.text().open(run.printed(given.positional().getFirst())));
      change = element -> filter.apply(run, element, given.rest());
    }
    List<Object> changed = new ArrayList<>();
    for (Object element : elementsIfAny(run, value)) {
      run.budget().pay(1);
      changed.add(change.apply(element));
    }
    return changed;
  }

  private static Object selected(
      Rendering run, Object value, Arguments given, boolean byAttribute, boolean wanted) {
    Arguments rest = given;
    UnaryOperator<Object> part = UnaryOperator.identity();
    if (byAttribute) {
      if (given.positional().isEmpty()) {
        throw new TemplateFault("selectattr and rejectattr take the name of an attribute");
      }
      part = path(run, given.positional().getFirst(), Optional.empty());
      rest = given.rest();
    }
    Predicate<Object> test = Operators::isTrue;
    if (!rest.positional().isEmpty()) {
      String name = run.text().open(run.printed(rest.positional().getFirst()));
      Arguments arguments = rest.rest();
      test = element -> Tests.holds(run, name, element, arguments);
    }
    List<Object> selected = new ArrayList<>();
    for (Object element : elementsIfAny(run, value)) {
      run.budget().pay(1);
      if (test.test(part.apply(element)) == wanted) {
        selected.add(element);
      }
    }
    return selected;
  }
}
