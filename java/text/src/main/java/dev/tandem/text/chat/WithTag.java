package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;
import java.util.ArrayList;
import java.util.List;

/** {@code with a = 1, b = 2}: variables for what is in it. */
final class WithTag extends ChatTag<WithTag.Head> {
  private static final long serialVersionUID = 1;

  /** A variable and its value. */
  record Assignment(String name, Expression value) {}

  /** All variables. */
  record Head(List<Assignment> assignments) {}

  WithTag() {
    super("with", true, Head.class);
  }

  @Override
  Head read(ExpressionReader in) {
    List<Assignment> assignments = new ArrayList<>();
    while (!in.isAtEnd()) {
      if (!assignments.isEmpty()) {
        in.require(",");
      }
      String name = in.name();
      in.require("=");
      assignments.add(new Assignment(name, in.expression()));
    }
    return new Head(assignments);
  }

  @Override
  String render(Head head, TagNode node, Rendering run) {
    Scope inside = run.scope().child();
    for (Assignment assignment : head.assignments()) {
      inside.put(assignment.name(), run.evaluator().evaluate(assignment.value()));
    }
    return run.within(inside, () -> run.block(node.getChildren()));
  }
}
