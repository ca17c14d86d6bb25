package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;

/** {@code elif} and {@code else}; what they stand in looks for them. */
abstract sealed class SectionTag extends ChatTag<Object> {
  private static final long serialVersionUID = 1;

  private final Section.Kind kind;

  private SectionTag(String name, Section.Kind kind) {
    super(name, false, Object.class);
    this.kind = kind;
  }

  final Section.Kind kind() {
    return kind;
  }

  @Override
  final String render(Object head, TagNode node, Rendering run) {
    throw new TemplateFault("'" + getName() + "' stands outside of 'if' and 'for'");
  }

  /** {@code elif}. */
  static final class Elif extends SectionTag {
    private static final long serialVersionUID = 1;

    Elif() {
      super("elif", Section.Kind.ELIF);
    }

    @Override
    Expression read(ExpressionReader in) {
      return in.tuple();
    }
  }

  /** {@code else}. */
  static final class Else extends SectionTag {
    private static final long serialVersionUID = 1;

    Else() {
      super("else", Section.Kind.ELSE);
    }

    @Override
    None read(ExpressionReader in) {
      return None.NONE;
    }
  }
}
