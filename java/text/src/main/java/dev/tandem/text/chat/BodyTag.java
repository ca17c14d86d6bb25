package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;

/**
 * A tag that prints what is in it: {@code generation}, which marks the assistant's words for those
 * who train a model, and {@code raw}, whose inside was read as text already.
 */
final class BodyTag extends ChatTag<None> {
  private static final long serialVersionUID = 1;

  BodyTag(String name) {
    super(name, true, None.class);
  }

  @Override
  None read(ExpressionReader in) {
    return None.NONE;
  }

  @Override
  String render(None head, TagNode node, Rendering run) {
    return run.within(run.scope().child(), () -> run.block(node.getChildren()));
  }
}
