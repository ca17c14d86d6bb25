package dev.tandem.text.chat;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a function, filter, test or macro is called with.
 *
 * @param positional those without names
 * @param named those with names, in order
 */
record Arguments(List<Object> positional, Map<String, Object> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  static Arguments of(Object... positional) {
    return new Arguments(Arrays.asList(positional), Map.of());
  }

  /** Arguments by the names of the parameters that take them. */
  record Bound(String owner, Map<String, Object> values) {
    Optional<Object> find(String name) {
      return Optional.ofNullable(values.get(name));
    }

    /** A value that must be there. */
    Object get(String name) {
      return find(name).orElseThrow(() -> new TemplateFault(owner + ": " + name + " is missing"));
    }

    boolean flag(String name, boolean otherwise) {
      return find(name).map(Operators::isTrue).orElse(otherwise);
    }

    /** A whole number that fits an int, for counts and widths. */
    int integer(String name, int otherwise) {
      return switch (find(name).orElse((long) otherwise)) {
        case Long number when number == number.intValue() -> number.intValue();
        case Boolean flag -> flag ? 1 : 0;
        default -> throw new TemplateFault(owner + ": " + name + " must be a small whole number");
      };
    }
  }

  /**
   * Gives the arguments to parameters, as Python does.
   *
   * @param owner who is called, for messages
   */
  Bound bind(String owner, String... parameters) {
    if (positional.size() > parameters.length) {
      throw new TemplateFault(
          owner
              + " takes "
              + (parameters.length == 0 ? "no" : "at most " + parameters.length)
              + " arguments, not "
              + positional.size());
    }
    Map<String, Object> values = new HashMap<>();
    for (int i = 0; i < positional.size(); i++) {
      values.put(parameters[i], positional.get(i));
    }
    named.forEach((name, value) -> {
      if (!Arrays.asList(parameters).contains(name)) {
        throw new TemplateFault(owner + " has no parameter '" + name + "'");
      }
      if (values.put(name, value) != null) {
        throw new TemplateFault(owner + ": " + name + " is given twice");
      }
    });
    return new Bound(owner, values);
  }

  /** These without the first. */
  Arguments rest() {
    return new Arguments(positional.subList(1, positional.size()), named);
  }
}
