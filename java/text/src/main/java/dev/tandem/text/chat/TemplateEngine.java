package dev.tandem.text.chat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.tree.parse.Token;
import com.hubspot.jinjava.tree.parse.TokenScanner;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Jinjava, set up for chat templates: with our tags instead of its own, and with an expression
 * language that resolves nothing. Made when the first template is read, which takes some tenths of
 * a second; one for all templates and threads.
 */
final class TemplateEngine {
  /** Jinjava's tags that are none of Jinja's, or none for chat templates. */
  static final Set<String> OFF =
      Set.of(
          "autoescape",
          "block",
          "cycle",
          "do",
          "extends",
          "from",
          "ifchanged",
          "import",
          "include",
          "print",
          "unless");

  private static final JinjavaConfig CONFIG =
      JinjavaConfig.newBuilder()
          .withLegacyOverrides(
              LegacyOverrides.newBuilder()
                  .withParseWhitespaceControlStrictly(true)
                  .withAllowAdjacentTextNodes(true)
                  .withHandleBackslashInQuotesOnly(true)
                  .build())
          .withTrimBlocks(false) // see Whitespace
          .withLstripBlocks(false)
          .withNestedInterpretationEnabled(false)
          .withElResolver(new NoBeans())
          .withObjectMapper(new ObjectMapper()) // else it makes one and loads modules for it
          .withDisabled(Map.of(Library.TAG, OFF))
          .build();

  private static final Jinjava JINJAVA = new Jinjava(CONFIG);

  static {
    JINJAVA.getGlobalContext().setExpressionStrategy(new Output());
    List.of(
            new IfTag(),
            new SectionTag.Elif(),
            new SectionTag.Else(),
            new ForTag(),
            new JumpTag("break", Rendering.Jump.BREAK),
            new JumpTag("continue", Rendering.Jump.CONTINUE),
            new SetTag(),
            new WithTag(),
            new MacroTag(),
            new CallTag(),
            new FilterTag(),
            new BodyTag("generation"),
            new BodyTag("raw"))
        .forEach(JINJAVA::registerTag);
  }

  private TemplateEngine() {}

  static Jinjava jinjava() {
    return JINJAVA;
  }

  /** What reads one template into a tree. */
  static JinjavaInterpreter parser() {
    Context context = new Context(JINJAVA.getGlobalContext(), Map.of(), CONFIG.getDisabled());
    return new JinjavaInterpreter(JINJAVA, context, CONFIG);
  }

  /** The tags of a template and the text between them; their images, joined, are the template. */
  static List<Token> tokens(String source) {
    List<Token> tokens = new ArrayList<>();
    new TokenScanner(source, CONFIG).forEachRemaining(tokens::add);
    return tokens;
  }
}
