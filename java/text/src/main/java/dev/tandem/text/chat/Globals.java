package dev.tandem.text.chat;

import dev.tandem.text.chat.Arguments.Bound;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The functions that a template can call by name. */
final class Globals {
  private Globals() {}

  static void define(Rendering run, Scope scope) {
    scope.put("raise_exception", (Callable) given -> refuse(run, given));
    scope.put("strftime_now", (Callable) given -> now(run, given));
    scope.put("range", (Callable) given -> range(run, given));
    scope.put("namespace", (Callable) Globals::namespace);
    scope.put("dict", (Callable) given -> dict(run, given));
  }

  private static Object refuse(Rendering run, Arguments given) {
    Object message = given.bind("raise_exception", "message").find("message").orElse("");
    throw TemplateFault.refusal(run.text().open(run.printed(message)));
  }

  private static String now(Rendering run, Arguments given) {
    Object format = given.bind("strftime_now", "format").get("format");
    return Strftime.format(run.now(), run.printed(format), run.text());
  }

  private static List<Object> range(Rendering run, Arguments given) {
    List<Long> bounds =
        given.positional().stream()
            .map(bound ->
                Operators.integer(bound)
                    .orElseThrow(() ->
                        new TemplateFault(
                            "range takes whole numbers, not " + Operators.kind(bound))))
            .toList();
    if (bounds.isEmpty() || bounds.size() > 3 || !given.named().isEmpty()) {
      throw new TemplateFault("range takes one to three numbers");
    }
    long start = bounds.size() > 1 ? bounds.get(0) : 0;
    long end = bounds.size() > 1 ? bounds.get(1) : bounds.get(0);
    long step = bounds.size() > 2 ? bounds.get(2) : 1;
    if (step == 0) {
      throw new TemplateFault("range: the step is zero");
    }
    double size = Math.max(0, Math.ceil(((double) end - start) / step));
    run.budget().payList((long) size);
    List<Object> numbers = new ArrayList<>((int) size);
    for (long i = 0; i < (long) size; i++) {
      numbers.add(start + i * step);
    }
    return numbers;
  }

  private static Namespace namespace(Arguments given) {
    Namespace namespace = new Namespace();
    for (Object source : given.positional()) {
      if (!(source instanceof Dict dict)) {
        throw new TemplateFault("namespace takes a dict, not " + Operators.kind(source));
      }
      dict.plainKeys()
          .forEach(key -> {
            if (key instanceof String name) {
              namespace.put(name, dict.get(key).orElseThrow());
            }
          });
    }
    given.named().forEach(namespace::put);
    return namespace;
  }

  private static Dict dict(Rendering run, Arguments given) {
    Bound bound = new Arguments(given.positional(), Map.of()).bind("dict", "dict");
    Dict dict = new Dict();
    Optional<Object> source = bound.find("dict");
    if (source.isPresent()) {
      if (source.get() instanceof Dict other) {
        dict.putAll(other);
      } else {
        for (Object pair : run.operators().elements(source.get())) {
          List<Object> both = run.operators().elements(pair);
          if (both.size() != 2) {
            throw new TemplateFault("dict takes pairs");
          }
          dict.put(run.operators().key(both.get(0)), both.get(0), both.get(1));
        }
      }
    }
    given.named().forEach(dict::put);
    run.budget().payList(dict.size());
    return dict;
  }
}
