package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The language of templates, with files of our own. What is expected was printed by Python's Jinja
 * (3.1.6) with {@code trim_blocks} and {@code lstrip_blocks}.
 */
class OwnTemplatesTest {
  static List<String> names() {
    return Templates.ownNames();
  }

  @ParameterizedTest
  @MethodSource("names")
  void conversationsAreExact(String name) {
    JsonNode all = Templates.jsonResource("expected.json");
    ChatTemplate template = Templates.of(Templates.resource(name + ".jinja"));
    all.get("conversations")
        .properties()
        .forEach(conversation -> {
          ChatOptions options =
              Templates.OPTIONS
                  .withGenerationPrompt(!conversation.getKey().equals("answered"))
                  .withThinking(!conversation.getKey().equals("system"));
          assertEquals(
              all.get("expected").get(name).get(conversation.getKey()).asText(),
              Templates.text(template.render(Templates.messages(conversation.getValue()), options)),
              conversation.getKey());
        });
  }

  static List<Case> expressions() {
    List<Case> cases = new ArrayList<>();
    Templates.jsonResource("expressions.json")
        .forEach(pair -> cases.add(new Case(pair.get(0).asText(), pair.get(1).asText())));
    return cases;
  }

  /** A template and what it prints. */
  record Case(String template, String printed) {}

  @ParameterizedTest
  @MethodSource("expressions")
  void expressionsAndTagsAreExact(Case expected) {
    assertEquals(expected.printed(), Templates.printed(expected.template()));
  }
}
