package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;

/** {@code break} and {@code continue}. */
final class JumpTag extends ChatTag<None> {
  private static final long serialVersionUID = 1;

  private final Rendering.Jump jump;

  JumpTag(String name, Rendering.Jump jump) {
    super(name, false, None.class);
    this.jump = jump;
  }

  @Override
  None read(ExpressionReader in) {
    return None.NONE;
  }

  @Override
  String render(None head, TagNode node, Rendering run) {
    run.jump(jump);
    return "";
  }
}
