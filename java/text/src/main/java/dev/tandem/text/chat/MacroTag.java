package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.TagNode;
import dev.tandem.text.chat.Macro.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code macro name(a, b=1)}: defines a {@link Macro}. */
final class MacroTag extends ChatTag<MacroTag.Head> {
  private static final long serialVersionUID = 1;

  /** A macro's name and parameters. */
  record Head(String name, List<Parameter> parameters) {}

  MacroTag() {
    super("macro", true, Head.class);
  }

  @Override
  Head read(ExpressionReader in) {
    String name = in.name();
    in.require("(");
    return new Head(name, parameters(in));
  }

  /** Parameters, of which the parenthesis was read. */
  static List<Parameter> parameters(ExpressionReader in) {
    List<Parameter> parameters = new ArrayList<>();
    while (!in.skip(")")) {
      if (!parameters.isEmpty()) {
        in.require(",");
      }
      String name = in.name();
      parameters.add(
          new Parameter(name, in.skip("=") ? Optional.of(in.expression()) : Optional.empty()));
    }
    return parameters;
  }

  @Override
  String render(Head head, TagNode node, Rendering run) {
    run.scope()
        .put(
            head.name(),
            new Macro(run, head.name(), head.parameters(), node.getChildren(), run.scope()));
    return "";
  }
}
