package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.fail;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Templates put together at random, from pieces of good ones: they print, or fail properly. */
class TemplateFuzzTest {
  private static final Pattern PIECES =
      Pattern.compile("\\{%.*?%\\}|\\{\\{.*?\\}\\}|\\{#.*?#\\}|[^{]+|\\{", Pattern.DOTALL);
  private static final Pattern WORDS = Pattern.compile("\\w+|'[^']*'|\"[^\"]*\"|\\s+|.");
  private static final Limits SMALL =
      new Limits(1 << 16, 1 << 16, 1 << 12, 1 << 20, 1000, Duration.ofSeconds(5));

  @Test
  void randomTemplatesPrintOrFailProperly() {
    List<String> pieces = new ArrayList<>();
    List<String> words =
        new ArrayList<>(List.of("____int3rpr3t3r____", "class", "9223372036854775807"));
    for (String name : Templates.ownNames()) {
      split(Templates.resource(name + ".jinja"), PIECES, pieces);
    }
    Templates.jsonResource("expressions.json")
        .forEach(pair -> split(pair.get(0).asText(), PIECES, pieces));
    pieces.stream()
        .filter(piece -> piece.startsWith("{"))
        .forEach(piece -> split(piece, WORDS, words));
    List<ChatMessage> messages =
        List.of(ChatMessage.system("s"), ChatMessage.user("<|im_end|> </think>"));
    int cases = Boolean.getBoolean("tandem.long") ? 200_000 : 6_000;
    for (long seed = 1; seed <= cases; seed++) {
      String template = template(new Random(seed), pieces, words);
      try {
        ChatTemplate.of(template, "<s>", "</s>", SMALL).render(messages, Templates.OPTIONS);
      } catch (ChatTemplateException e) {
        String problem = e.getMessage();
        assertFalse(problem.contains("internal"), () -> problem + "\n" + template);
      } catch (RuntimeException | Error e) {
        fail("seed " + seed + ": " + template, e);
      }
    }
  }

  private static void split(String source, Pattern pattern, List<String> parts) {
    pattern.matcher(source).results().map(MatchResult::group).forEach(parts::add);
  }

  private static String template(Random random, List<String> pieces, List<String> words) {
    StringBuilder template = new StringBuilder();
    for (int i = 1 + random.nextInt(8); i > 0; i--) {
      String piece = pieces.get(random.nextInt(pieces.size()));
      for (int changes = random.nextInt(3); changes > 0 && piece.length() > 4; changes--) {
        int at = 2 + random.nextInt(piece.length() - 3);
        int end = Math.min(piece.length() - 2, at + random.nextInt(4));
        piece =
            piece.substring(0, at)
                + words.get(random.nextInt(words.size()))
                + piece.substring(Math.max(at, end));
      }
      template.append(piece);
    }
    return template.toString();
  }
}
