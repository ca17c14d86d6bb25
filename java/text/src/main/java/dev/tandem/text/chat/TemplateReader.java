package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.tree.ExpressionNode;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.tree.TextNode;
import com.hubspot.jinjava.tree.parse.ExpressionToken;
import com.hubspot.jinjava.tree.parse.TagToken;
import com.hubspot.jinjava.tree.parse.Token;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.ListIterator;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a template. Jinjava finds its tags and makes a tree of them; then the text between tags is
 * trimmed as Jinja does it, and what tags and expressions say is read.
 */
final class TemplateReader {
  private static final int DEEPEST = 100;
  private static final int MOST_BRACES = 200;

  private final BitSet privatePoints = new BitSet();
  private final Map<Token, Object> heads = new IdentityHashMap<>();
  private final Iterator<String> texts;
  private Token place = Place.START;
  private int depth;

  private TemplateReader(List<Token> tokens) {
    texts = Whitespace.texts(tokens).iterator();
  }

  /**
   * Reads a template.
   *
   * @throws ChatTemplateException if it is none
   */
  static ParsedTemplate read(String source, Limits limits) {
    if (source.length() > limits.source()) {
      throw new ChatTemplateException(
          "chat template: its "
              + source.length()
              + " characters are too many; at most "
              + limits.source());
    }
    try {
      String lines = bracesApart(lines(source));
      List<Token> tokens = TemplateEngine.tokens(lines);
      tokens.forEach(TemplateReader::requireOn);
      Node root = tree(lines);
      TemplateReader reader = new TemplateReader(tokens);
      ContentAlphabet.addPrivate(lines, reader.privatePoints);
      reader.read(root);
      return new ParsedTemplate(root, reader.heads, reader.privatePoints, limits);
    } catch (IndexOutOfBoundsException e) {
      // Jinjava's tokens look at characters that an empty tag has not.
      throw new ChatTemplateException("chat template: it cannot be read; is there an empty tag?");
    } catch (InterpretException e) {
      throw new ChatTemplateException("chat template: " + Place.shown(e.getMessage()));
    }
  }

  /** The source with Jinja's line ends, and without the last; half characters are replaced. */
  private static String lines(String source) {
    String whole = new String(source.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    String lines = whole.replace("\r\n", "\n").replace('\r', '\n');
    return lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines;
  }

  /**
   * Jinjava's scanner ends an expression at its first two braces, also where they end dicts: {@code
   * {{ {'a': {'b': 1}} }}}. It cannot be asked to count; so these two get a space between them,
   * which means nothing there.
   */
  private static String bracesApart(String source) {
    String apart = source;
    for (int i = 0; i < MOST_BRACES; i++) {
      Optional<Integer> end = endOfCutExpression(apart);
      if (end.isEmpty()) {
        return apart;
      }
      apart = apart.substring(0, end.get() - 1) + " " + apart.substring(end.get() - 1);
    }
    throw new TemplateFault("there are too many braces in expressions");
  }

  /** Where the first expression ends that was ended too early. */
  private static Optional<Integer> endOfCutExpression(String source) {
    int end = 0;
    for (Token token : TemplateEngine.tokens(source)) {
      end += token.getImage().length();
      if (token instanceof ExpressionToken
          && ExpressionScanner.hasOpenBrace(Whitespace.inside(token))) {
        return Optional.of(end);
      }
    }
    return Optional.empty();
  }

  private static void requireOn(Token token) {
    if (token instanceof TagToken tag && TemplateEngine.OFF.contains(tag.getTagName())) {
      throw new ChatTemplateException(Place.message(token, "this tag is switched off"));
    }
  }

  private static Node tree(String source) {
    JinjavaInterpreter parser = TemplateEngine.parser();
    Node root = parser.parse(source);
    for (TemplateError error : parser.getErrorsCopy()) {
      String problem =
          error.getMessage().equals("Unclosed token")
              ? "a tag, an expression, or a text in one is not ended"
              : Place.shown(error.getMessage());
      throw new ChatTemplateException("chat template, line " + error.getLineno() + ": " + problem);
    }
    return root;
  }

  private void read(Node root) {
    try {
      readChildren(root);
    } catch (TemplateFault e) {
      throw new ChatTemplateException(Place.message(place, e.getMessage()));
    }
  }

  private void readChildren(Node parent) {
    if (++depth > DEEPEST) {
      throw new TemplateFault("tags are nested more than " + DEEPEST + " deep");
    }
    for (ListIterator<Node> i = parent.getChildren().listIterator(); i.hasNext(); ) {
      Node node = i.next();
      if (node instanceof TextNode) {
        i.set(new Output.Text(node, texts.next()));
      } else {
        place = node.getMaster();
        heads.put(place, head(node));
        readChildren(node);
      }
    }
    depth--;
  }

  private Object head(Node node) {
    if (node instanceof TagNode tag && tag.getTag() instanceof ChatTag<?> known) {
      return known.head((TagToken) place, privatePoints);
    }
    if (node instanceof ExpressionNode) {
      ExpressionReader in = new ExpressionReader(Whitespace.inside(place), privatePoints);
      Expression expression = in.tuple();
      in.requireEnd();
      return expression;
    }
    throw new TemplateFault("this tag is switched off");
  }
}
