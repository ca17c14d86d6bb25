package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.lib.tag.FlexibleTag;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.tree.parse.TagToken;
import java.util.BitSet;
import java.util.Optional;

/** {@code set x = value}, and {@code set x} with a body that is the value, filtered if asked. */
final class SetTag extends ChatTag<SetTag.Head> implements FlexibleTag {
  private static final long serialVersionUID = 1;

  /**
   * What is set.
   *
   * @param value what to; empty for the body
   * @param filters the filters of the body, applied to the variable {@link FilterTag#BODY}
   */
  record Head(Target target, Optional<Expression> value, Expression filters) {}

  SetTag() {
    super("set", true, Head.class);
  }

  @Override
  Head read(ExpressionReader in) {
    Target target = Target.read(in);
    Optional<Expression> value = in.skip("=") ? Optional.of(in.tuple()) : Optional.empty();
    return new Head(target, value, in.filters(new Expression.Name(FilterTag.BODY)));
  }

  @Override
  public boolean hasEndTag(TagToken token) {
    try {
      ExpressionReader in = new ExpressionReader(Whitespace.insideTag(token), new BitSet());
      Target.read(in);
      return !in.skip("=");
    } catch (InterpretException e) {
      return false; // told when the tag is read
    }
  }

  @Override
  String render(Head head, TagNode node, Rendering run) {
    Object value;
    if (head.value().isPresent()) {
      value = run.evaluator().evaluate(head.value().get());
    } else {
      Scope inside = run.scope().child();
      String body = run.within(inside, () -> run.block(node.getChildren()));
      inside.put(FilterTag.BODY, body);
      value = run.within(inside, () -> run.evaluator().evaluate(head.filters()));
    }
    head.target().set(value, run.scope(), run.operators());
    return "";
  }
}
