package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;

/** {@code if}, with {@code elif} and {@code else} among what is in it. */
final class IfTag extends ChatTag<Expression> {
  private static final long serialVersionUID = 1;

  IfTag() {
    super("if", true, Expression.class);
  }

  @Override
  Expression read(ExpressionReader in) {
    return in.tuple();
  }

  @Override
  String render(Expression condition, TagNode node, Rendering run) {
    for (Section section : Section.of(node)) {
      boolean chosen =
          switch (section.kind()) {
            case FIRST -> run.isTrue(condition);
            case ELIF -> run.isTrue((Expression) run.head(section.begin().getMaster()));
            case ELSE -> true;
          };
      if (chosen) {
        return run.block(section.body());
      }
    }
    return "";
  }
}
