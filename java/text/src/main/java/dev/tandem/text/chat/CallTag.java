package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;
import dev.tandem.text.chat.Macro.Parameter;
import java.util.List;
import java.util.Map;

/** {@code call(a) macro(b)}: calls a macro that finds what is in the tag as {@code caller}. */
final class CallTag extends ChatTag<CallTag.Head> {
  private static final long serialVersionUID = 1;

  /** The caller's parameters, and what is called. */
  record Head(List<Parameter> parameters, Expression.Call call) {}

  CallTag() {
    super("call", true, Head.class);
  }

  @Override
  Head read(ExpressionReader in) {
    List<Parameter> parameters = in.skip("(") ? MacroTag.parameters(in) : List.of();
    if (in.expression() instanceof Expression.Call call) {
      return new Head(parameters, call);
    }
    throw new TemplateFault("'call' takes a call");
  }

  @Override
  String render(Head head, TagNode node, Rendering run) {
    Macro caller = new Macro(run, "caller", head.parameters(), node.getChildren(), run.scope());
    return run.printed(run.evaluator().call(head.call(), Map.of("caller", caller)));
  }
}
