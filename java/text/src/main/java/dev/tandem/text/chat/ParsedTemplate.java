package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.parse.Token;
import dev.tandem.text.TextSpan;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * A template as read. Nothing changes it any more, so many threads may render it.
 *
 * @param root Jinjava's tree
 * @param heads what tags and expressions say
 * @param privatePoints the private characters of Unicode that it uses
 */
record ParsedTemplate(Node root, Map<Token, Object> heads, BitSet privatePoints, Limits limits) {

  /**
   * Prints the template.
   *
   * @param given the characters of the conversation
   * @param trusted texts that are used as if the template had them
   * @param variables defines the variables in a scope, with contents that the alphabet sealed
   * @throws ChatTemplateException if it fails, or goes beyond its limits
   * @throws RefusedException if it refuses the conversation
   */
  List<TextSpan> render(
      long given,
      List<String> trusted,
      LocalDateTime now,
      BiConsumer<Scope, ContentAlphabet> variables) {
    BitSet taken = (BitSet) privatePoints.clone();
    trusted.forEach(text -> ContentAlphabet.addPrivate(text, taken));
    ContentAlphabet alphabet = new ContentAlphabet(taken);
    Rendering run =
        new Rendering(TemplateEngine.jinjava(), this, new Budget(limits, given), alphabet, now);
    try {
      variables.accept(run.scope(), alphabet);
      return spans(run.block(root.getChildren()), alphabet);
    } catch (TemplateFault e) {
      String message = Place.message(run.place(), e.getMessage());
      throw e.isRefusal() ? new RefusedException(message) : new ChatTemplateException(message);
    } catch (StackOverflowError e) {
      throw new ChatTemplateException(
          Place.message(run.place(), "the stack is full: something is nested too deep"));
    } catch (InterpretException e) {
      // Jinjava's nodes wrap what is not its own: a defect of ours, which a template found.
      throw new ChatTemplateException(Place.message(run.place(), "internal error: " + e), e);
    }
  }

  /** Thrown on: the template refuses a conversation. */
  static final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private RefusedException(String message) {
      super(message);
    }
  }

  /** Cuts what was printed where the owner changes. */
  private static List<TextSpan> spans(String printed, ContentAlphabet alphabet) {
    List<TextSpan> spans = new ArrayList<>();
    StringBuilder span = new StringBuilder();
    boolean content = false;
    for (int at = 0; at < printed.length(); ) {
      int point = printed.codePointAt(at);
      if (alphabet.isSealed(point) != content) {
        add(span, content, spans);
        content = !content;
      }
      span.appendCodePoint(alphabet.open(point));
      at += Character.charCount(point);
    }
    add(span, content, spans);
    return List.copyOf(spans);
  }

  private static void add(StringBuilder span, boolean content, List<TextSpan> spans) {
    if (!span.isEmpty()) {
      spans.add(new TextSpan(span.toString(), !content));
      span.setLength(0);
    }
  }
}
