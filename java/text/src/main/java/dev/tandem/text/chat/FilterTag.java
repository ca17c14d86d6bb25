package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;

/** {@code filter upper | trim}: what is in it, filtered. */
final class FilterTag extends ChatTag<Expression> {
  private static final long serialVersionUID = 1;

  /** The variable that has what is to be filtered; no template can write such a name. */
  static final String BODY = " body";

  FilterTag() {
    super("filter", true, Expression.class);
  }

  @Override
  Expression read(ExpressionReader in) {
    return in.filters(in.filter(new Expression.Name(BODY)));
  }

  @Override
  String render(Expression filters, TagNode node, Rendering run) {
    Scope inside = run.scope().child();
    inside.put(BODY, run.within(inside, () -> run.block(node.getChildren())));
    return run.within(inside, () -> run.printed(run.evaluator().evaluate(filters)));
  }
}
