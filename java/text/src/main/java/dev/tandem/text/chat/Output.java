package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.expression.ExpressionStrategy;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.output.OutputNode;
import com.hubspot.jinjava.tree.output.RenderedOutputNode;
import com.hubspot.jinjava.tree.parse.ExpressionToken;
import com.hubspot.jinjava.tree.parse.Token;

/** {@code {{ expression }}}: Jinjava's node of an expression prints by this. */
final class Output implements ExpressionStrategy {
  private static final long serialVersionUID = 1;

  @Override
  public RenderedOutputNode interpretOutput(ExpressionToken token, JinjavaInterpreter interpreter) {
    Rendering run = (Rendering) interpreter;
    Token around = run.place();
    run.at(token);
    String printed = run.printed(run.evaluator().evaluate((Expression) run.head(token)));
    run.at(around);
    return new RenderedOutputNode(printed);
  }

  /** Text between tags: {@link Whitespace} said what is left of it. */
  static final class Text extends Node {
    private static final long serialVersionUID = 1;

    private final String text;

    Text(Node node, String text) {
      super(node.getMaster(), node.getLineNumber(), node.getStartPosition());
      this.text = text;
    }

    @Override
    public OutputNode render(JinjavaInterpreter interpreter) {
      return new RenderedOutputNode(text);
    }

    @Override
    public String getName() {
      return "text";
    }
  }
}
