package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * The methods that lists and dicts have in a template. They change what the template made, or its
 * own copy of the conversation. Of one rendering.
 */
final class CollectionMethods {
  private final Operators operators;
  private final Budget budget;

  CollectionMethods(Operators operators, Budget budget) {
    this.operators = operators;
    this.budget = budget;
  }

  /** A method of a list, if there is one of this name. */
  Optional<Callable> find(List<Object> base, String name) {
    return Optional.ofNullable(
        switch (name) {
          case "index" -> given -> index(base, given.bind(name, "value").get("value"));
          case "count" ->
              given -> {
                Object value = given.bind(name, "value").get("value");
                return base.stream().filter(element -> operators.equal(element, value)).count();
              };
          case String other when base instanceof Tuple -> null;
          case "append" ->
              given -> insert(base, base.size(), given.bind(name, "object").get("object"));
          case "insert" ->
              given -> {
                Arguments.Bound bound = given.bind(name, "index", "object");
                return insert(base, bound.integer("index", 0), bound.get("object"));
              };
          case "extend" -> given -> extend(base, given.bind(name, "iterable").get("iterable"));
          case "pop" -> given -> pop(base, given.bind(name, "index").integer("index", -1));
          case "remove" ->
              given -> {
                base.remove((int) index(base, given.bind(name, "value").get("value")));
                return None.NONE;
              };
          case "clear" ->
              given -> {
                base.clear();
                return None.NONE;
              };
          case "copy" ->
              given -> {
                budget.payList(base.size());
                return new ArrayList<>(base);
              };
          case "reverse" ->
              given -> {
                Collections.reverse(base);
                return None.NONE;
              };
          case "sort" -> given -> sort(base, given);
          default -> null;
        });
  }

  private long index(List<Object> base, Object value) {
    for (int i = 0; i < base.size(); i++) {
      if (operators.equal(base.get(i), value)) {
        return i;
      }
    }
    throw new TemplateFault("a value is not in the list");
  }

  private None insert(List<Object> base, int index, Object value) {
    budget.payList(base.size() + 1L);
    int at = index < 0 ? index + base.size() : index;
    base.add(Math.clamp(at, 0, base.size()), value);
    return None.NONE;
  }

  private None extend(List<Object> base, Object iterable) {
    List<Object> more = operators.elements(iterable);
    budget.payList((long) base.size() + more.size());
    base.addAll(more);
    return None.NONE;
  }

  private static Object pop(List<Object> base, int index) {
    int at = index < 0 ? index + base.size() : index;
    if (at < 0 || at >= base.size()) {
      throw new TemplateFault("pop: the list has no element " + index);
    }
    return base.remove(at);
  }

  private None sort(List<Object> base, Arguments given) {
    boolean reverse = given.bind("sort", "reverse").flag("reverse", false);
    List<Object> sorted = operators.sorted(base, element -> element, reverse);
    base.clear();
    base.addAll(sorted);
    return None.NONE;
  }

  /** A method of a dict, if there is one of this name. */
  Optional<Callable> find(Dict base, String name) {
    return Optional.ofNullable(
        switch (name) {
          case "get" ->
              given -> {
                Arguments.Bound bound = given.bind(name, "key", "default");
                return base.get(operators.key(bound.get("key")))
                    .orElseGet(() -> bound.find("default").orElse(None.NONE));
              };
          case "items" -> given -> paid(base.items());
          case "keys" -> given -> paid(base.keys());
          case "values" -> given -> paid(base.values());
          case "pop" -> given -> pop(base, given);
          case "setdefault" ->
              given -> {
                Arguments.Bound bound = given.bind(name, "key", "default");
                Object plain = operators.key(bound.get("key"));
                if (!base.contains(plain)) {
                  put(base, plain, bound.get("key"), bound.find("default").orElse(None.NONE));
                }
                return base.get(plain).orElseThrow();
              };
          case "update" -> given -> update(base, given);
          case "clear" ->
              given -> {
                base.clear();
                return None.NONE;
              };
          case "copy" ->
              given -> {
                Dict copy = new Dict();
                budget.payList(base.size());
                copy.putAll(base);
                return copy;
              };
          default -> null;
        });
  }

  private List<Object> paid(List<Object> list) {
    budget.payList(list.size());
    return list;
  }

  private void put(Dict base, Object plain, Object key, Object value) {
    budget.payList(base.size() + 1L);
    base.put(plain, key, value);
  }

  private Object pop(Dict base, Arguments given) {
    Arguments.Bound bound = given.bind("pop", "key", "default");
    return base.remove(operators.key(bound.get("key")))
        .or(() -> bound.find("default"))
        .orElseThrow(() -> new TemplateFault("pop: there is no such key"));
  }

  private None update(Dict base, Arguments given) {
    for (Object source : given.positional()) {
      if (!(source instanceof Dict other)) {
        throw new TemplateFault("update takes a dict, not " + Operators.kind(source));
      }
      budget.payList((long) base.size() + other.size());
      base.putAll(other);
    }
    given.named().forEach((name, value) -> put(base, name, name, value));
    return None.NONE;
  }
}
