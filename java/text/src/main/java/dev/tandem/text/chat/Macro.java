package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.Node;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A part of a template that can be called; it prints into its value.
 *
 * @param name for messages
 * @param parameters in order
 * @param body what it prints
 * @param scope where it was defined: it sees the variables there, not those of who calls it
 */
record Macro(Rendering run, String name, List<Parameter> parameters, List<Node> body, Scope scope)
    implements Callable {
  /** A parameter, and the value of it that need not be given. */
  record Parameter(String name, Optional<Expression> otherwise) {}

  @Override
  public Object call(Arguments given) {
    Scope inside = scope.child();
    Map<String, Object> named = new LinkedHashMap<>(given.named());
    List<Parameter> missing = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      Parameter parameter = parameters.get(i);
      if (i < given.positional().size()) {
        inside.put(parameter.name(), given.positional().get(i));
      } else if (named.containsKey(parameter.name())) {
        inside.put(parameter.name(), named.remove(parameter.name()));
      } else {
        inside.put(parameter.name(), new Undefined(parameter.name()));
        missing.add(parameter);
      }
    }
    inside.put("caller", named.getOrDefault("caller", new Undefined("caller")));
    named.remove("caller");
    int taken = Math.min(parameters.size(), given.positional().size());
    inside.put("varargs", new Tuple(given.positional().subList(taken, given.positional().size())));
    Dict rest = new Dict();
    named.forEach(rest::put);
    inside.put("kwargs", rest);
    return run.within(
        inside,
        () -> {
          for (Parameter parameter : missing) {
            parameter
                .otherwise()
                .ifPresent(value -> inside.put(parameter.name(), run.evaluator().evaluate(value)));
          }
          return run.outsideOfLoops(() -> run.block(body));
        });
  }
}
