package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.tree.parse.TagToken;
import com.hubspot.jinjava.tree.parse.Token;
import java.util.BitSet;

/**
 * A tag that chat templates may use. What it says is read once, when the template is; Jinjava's own
 * tags read it at each rendering, with an expression language that is not the one of templates.
 *
 * @param <H> what was read of the tag
 */
abstract class ChatTag<H> implements Tag {
  private static final long serialVersionUID = 1;

  private final String name;
  private final boolean hasBody;
  private final Class<H> headType;

  ChatTag(String name, boolean hasBody, Class<H> headType) {
    this.name = name;
    this.hasBody = hasBody;
    this.headType = headType;
  }

  /** Reads what stands behind the tag's name. */
  abstract H read(ExpressionReader in);

  /** What the tag prints. */
  abstract String render(H head, TagNode node, Rendering run);

  /** Reads a tag. */
  final H head(TagToken token, BitSet privatePoints) {
    ExpressionReader in = new ExpressionReader(Whitespace.insideTag(token), privatePoints);
    H head = read(in);
    in.requireEnd();
    return head;
  }

  @Override
  public final String getName() {
    return name;
  }

  @Override
  public final String getEndTagName() {
    return hasBody ? "end" + name : null;
  }

  @Override
  public final String interpret(TagNode node, JinjavaInterpreter interpreter) {
    Rendering run = (Rendering) interpreter;
    Token around = run.place();
    run.at(node.getMaster());
    String printed = render(headType.cast(run.head(node.getMaster())), node, run);
    run.at(around);
    return printed;
  }
}
