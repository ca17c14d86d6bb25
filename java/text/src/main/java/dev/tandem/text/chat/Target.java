package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.List;

/** What a template sets: the left side of {@code set}, the variables of {@code for}. */
sealed interface Target {
  /** A variable. */
  record Variable(String name) implements Target {}

  /** An attribute of a namespace. */
  record Member(String namespace, String attribute) implements Target {}

  /** Several, which take the elements of a list. */
  record Several(List<Target> targets) implements Target {}

  /** Reads targets with commas between. */
  static Target read(ExpressionReader in) {
    Target first = readOne(in);
    List<Target> targets = new ArrayList<>(List.of(first));
    boolean several = false;
    while (in.skip(",")) {
      several = true;
      if (!in.startsName()) {
        break;
      }
      targets.add(readOne(in));
    }
    return several ? new Several(targets) : first;
  }

  private static Target readOne(ExpressionReader in) {
    if (in.skip("(")) {
      Target inner = read(in);
      in.require(")");
      return inner;
    }
    String name = in.name();
    return in.skip(".") ? new Member(name, in.name()) : new Variable(name);
  }

  /** Sets what this names. */
  default void set(Object value, Scope scope, Operators operators) {
    switch (this) {
      case Variable variable -> scope.put(variable.name(), value);
      case Member member -> {
        if (!(scope.get(member.namespace()) instanceof Namespace namespace)) {
          throw new TemplateFault(
              "attributes can be set of a namespace only, and '"
                  + member.namespace()
                  + "' is none");
        }
        namespace.put(member.attribute(), value);
      }
      case Several several -> {
        List<Object> values = operators.elements(value);
        if (values.size() != several.targets().size()) {
          throw new TemplateFault(
              values.size() + " values are given to " + several.targets().size() + " variables");
        }
        for (int i = 0; i < values.size(); i++) {
          several.targets().get(i).set(values.get(i), scope, operators);
        }
      }
    }
  }
}
