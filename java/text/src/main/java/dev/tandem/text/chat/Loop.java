package dev.tandem.text.chat;

import java.util.List;
import java.util.function.BiFunction;

/**
 * The variable {@code loop}: where a loop is; called, it runs a recursive one for more elements.
 */
final class Loop implements Callable {
  private final Rendering run;
  private final List<Object> elements;
  private final int depth;
  private final BiFunction<Object, Integer, Object> recursion;
  private int index = -1;
  private Object last = new Undefined("changed");

  /**
   * A loop before its first element.
   *
   * @param depth how many loops of the same recursion it lies in
   * @param recursion runs the loop for other elements, at a depth
   */
  Loop(
      Rendering run,
      List<Object> elements,
      int depth,
      BiFunction<Object, Integer, Object> recursion) {
    this.run = run;
    this.elements = elements;
    this.depth = depth;
    this.recursion = recursion;
  }

  /** Goes to the next element, if there is one. */
  boolean next() {
    return ++index < elements.size();
  }

  Object element() {
    return elements.get(index);
  }

  Object attribute(String name) {
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) elements.size() - index;
      case "revindex0" -> elements.size() - index - 1L;
      case "first" -> index == 0;
      case "last" -> index == elements.size() - 1;
      case "length" -> (long) elements.size();
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" -> index > 0 ? elements.get(index - 1) : new Undefined("loop.previtem");
      case "nextitem" ->
          index + 1 < elements.size() ? elements.get(index + 1) : new Undefined("loop.nextitem");
      case "cycle" -> (Callable) this::cycle;
      case "changed" -> (Callable) this::changed;
      default -> new Undefined("loop." + name);
    };
  }

  private Object cycle(Arguments given) {
    if (given.positional().isEmpty()) {
      throw new TemplateFault("loop.cycle takes at least one value");
    }
    return given.positional().get(index % given.positional().size());
  }

  private Object changed(Arguments given) {
    Object now = new Tuple(given.positional());
    boolean changed = !run.operators().equal(last, now);
    last = now;
    return changed;
  }

  @Override
  public Object call(Arguments given) {
    return recursion.apply(given.bind("loop", "iterable").get("iterable"), depth + 1);
  }
}
