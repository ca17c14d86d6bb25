package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code for}, with a condition, {@code else} and {@code recursive}. */
final class ForTag extends ChatTag<ForTag.Head> {
  private static final long serialVersionUID = 1;

  /** {@code for target in elements if condition recursive}. */
  record Head(
      Target target, Expression elements, Optional<Expression> condition, boolean recursive) {}

  ForTag() {
    super("for", true, Head.class);
  }

  @Override
  Head read(ExpressionReader in) {
    Target target = Target.read(in);
    in.requireWord("in");
    Expression elements = in.tupleWithoutChoice();
    Optional<Expression> condition =
        in.skipWord("if") ? Optional.of(in.expression()) : Optional.empty();
    return new Head(target, elements, condition, in.skipWord("recursive"));
  }

  @Override
  String render(Head head, TagNode node, Rendering run) {
    return render(head, node, run, run.evaluator().evaluate(head.elements()), 0);
  }

  private static String render(Head head, TagNode node, Rendering run, Object over, int depth) {
    List<Section> sections = Section.of(node);
    if (sections.size() > 1 && sections.get(1).kind() != Section.Kind.ELSE) {
      throw new TemplateFault("'elif' stands in 'for'");
    }
    List<Object> elements = chosen(head, run, run.operators().elements(over));
    if (elements.isEmpty()) {
      return sections.size() > 1 ? run.block(sections.get(1).body()) : "";
    }
    Loop loop =
        new Loop(
            run,
            elements,
            depth,
            (more, deeper) -> {
              if (!head.recursive()) {
                throw new TemplateFault("the loop is called, but is not 'recursive'");
              }
              return render(head, node, run, more, deeper);
            });
    List<String> parts = new ArrayList<>();
    boolean goesOn = true;
    while (goesOn && loop.next()) {
      run.budget().pay(1);
      Scope scope = run.scope().child();
      head.target().set(loop.element(), scope, run.operators());
      scope.put("loop", loop);
      parts.add(run.within(scope, () -> run.iteration(sections.getFirst().body())));
      goesOn = !run.isLoopLeft();
    }
    return run.text().concatenated(parts);
  }

  /** The elements that meet the loop's condition. */
  private static List<Object> chosen(Head head, Rendering run, List<Object> elements) {
    if (head.condition().isEmpty()) {
      return elements;
    }
    List<Object> chosen = new ArrayList<>();
    for (Object element : elements) {
      Scope scope = run.scope().child();
      head.target().set(element, scope, run.operators());
      if (run.within(scope, () -> run.isTrue(head.condition().get()))) {
        chosen.add(element);
      }
    }
    return chosen;
  }
}
