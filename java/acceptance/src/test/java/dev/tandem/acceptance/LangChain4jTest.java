package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiLanguageModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** LangChain4j, whose client for OpenAI is its own, on the JDK's HTTP client. */
@Timeout(120)
final class LangChain4jTest {

  private static StoryServer server;

  @BeforeAll
  static void start() {
    server = StoryServer.start();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static OpenAiChatModel.OpenAiChatModelBuilder model() {
    return OpenAiChatModel.builder()
        .baseUrl(server.url())
        .apiKey("none")
        .modelName("any")
        .maxRetries(0)
        .temperature(0.0)
        .seed(3)
        .maxTokens(12);
  }

  @Test
  void aChatAndItsStreamAreTheSame() throws Exception {
    String whole = model().build().chat("Tell me of a dog.");
    assertFalse(whole.isEmpty());
    StringBuilder pieces = new StringBuilder();
    CompletableFuture<ChatResponse> end = new CompletableFuture<>();
    OpenAiStreamingChatModel.builder()
        .baseUrl(server.url())
        .apiKey("none")
        .modelName("any")
        .temperature(0.0)
        .seed(3)
        .maxTokens(12)
        .build()
        .chat(
            "Tell me of a dog.",
            new StreamingChatResponseHandler() {
              @Override
              public void onPartialResponse(String piece) {
                pieces.append(piece);
              }

              @Override
              public void onCompleteResponse(ChatResponse response) {
                end.complete(response);
              }

              @Override
              public void onError(Throwable error) {
                end.completeExceptionally(error);
              }
            });
    ChatResponse response = end.get(60, TimeUnit.SECONDS);
    assertEquals(whole, response.aiMessage().text());
    assertEquals(whole, pieces.toString());
    assertEquals(12, response.tokenUsage().outputTokenCount());
  }

  @Test
  void completions() {
    String text =
        OpenAiLanguageModel.builder()
            .baseUrl(server.url())
            .apiKey("none")
            .modelName("any")
            .maxRetries(0)
            .build()
            .generate("Once upon a time")
            .content();
    assertFalse(text.isEmpty());
  }

  @Test
  void errorsAreTheClientsExceptions() {
    InvalidRequestException wrong =
        assertThrows(
            InvalidRequestException.class,
            () -> model().temperature(-1.0).build().chat("Tell me of a dog."));
    assertFalse(wrong.getMessage().isEmpty());
  }
}
