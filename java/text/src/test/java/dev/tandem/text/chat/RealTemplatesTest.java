package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Templates of real models print what their makers' programs print. */
class RealTemplatesTest {
  static List<String> names() {
    return Templates.names();
  }

  @Test
  void thereAreSeventy() {
    assertEquals(70, Templates.names().size());
  }

  @ParameterizedTest
  @MethodSource("names")
  void conversationsAreExact(String name) {
    JsonNode all = Templates.expected();
    ChatTemplate template = Templates.named(name);
    // This one's expected texts were made without reasoning.
    ChatOptions options = Templates.OPTIONS.withThinking(!name.startsWith("Apertus"));
    all.get("conversations")
        .properties()
        .forEach(conversation ->
            assertEquals(
                withoutBos(all.get("expected").get(name).get(conversation.getKey()).asText()),
                withoutBos(
                    Templates.text(
                        template.render(Templates.messages(conversation.getValue()), options))),
                conversation.getKey()));
  }

  private static String withoutBos(String prompt) {
    return prompt.startsWith(Templates.BOS) ? prompt.substring(Templates.BOS.length()) : prompt;
  }
}
