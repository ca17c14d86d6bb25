package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;

/** Spring AI. */
@Timeout(120)
final class SpringAiTest {

  private static StoryServer server;

  @BeforeAll
  static void start() {
    server = StoryServer.start();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static OpenAiChatModel model() {
    OpenAiChatOptions.Builder options = OpenAiChatOptions.builder();
    options.baseUrl(server.url());
    options.apiKey("none");
    options.maxRetries(0);
    options.model("any");
    options.temperature(0.0);
    options.seed(3);
    options.maxTokens(12);
    return OpenAiChatModel.builder().options(options.build()).build();
  }

  @Test
  void aChatAndItsStreamAreTheSame() {
    Prompt prompt = new Prompt("Tell me of a bird.");
    ChatResponse whole = model().call(prompt);
    String text = whole.getResult().getOutput().getText();
    assertFalse(text.isEmpty());
    assertEquals(12, whole.getMetadata().getUsage().getCompletionTokens());
    List<ChatResponse> parts = model().stream(prompt).collectList().block(Duration.ofSeconds(60));
    StringBuilder pieces = new StringBuilder();
    for (ChatResponse part : parts) {
      if (part.getResult() != null && part.getResult().getOutput().getText() != null) {
        pieces.append(part.getResult().getOutput().getText());
      }
    }
    assertTrue(parts.size() > 2, "it came in " + parts.size());
    assertEquals(text, pieces.toString());
  }
}
