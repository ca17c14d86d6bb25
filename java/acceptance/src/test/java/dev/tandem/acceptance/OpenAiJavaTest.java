package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionChoice;
import com.openai.models.completions.CompletionCreateParams;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** OpenAI's own client for Java. */
@Timeout(120)
final class OpenAiJavaTest {

  private static StoryServer server;
  private static OpenAIClient client;

  @BeforeAll
  static void start() {
    server = StoryServer.start();
    client = client(server, "none");
  }

  @AfterAll
  static void stop() {
    client.close();
    server.close();
  }

  private static OpenAIClient client(StoryServer at, String token) {
    return OpenAIOkHttpClient.builder()
        .baseUrl(at.url())
        .apiKey(token)
        .maxRetries(0)
        .timeout(Duration.ofSeconds(60))
        .build();
  }

  private static ChatCompletionCreateParams.Builder chat(int tokens) {
    return ChatCompletionCreateParams.builder()
        .model("gpt-4o-mini")
        .addDeveloperMessage("You tell stories.")
        .addUserMessage("Tell me of a cat.")
        .temperature(0)
        .maxCompletionTokens(tokens);
  }

  private static String text(ChatCompletion answer) {
    return answer.choices().getFirst().message().content().orElseThrow();
  }

  @Test
  void aChatAndItsStreamAreTheSame() {
    ChatCompletion whole = client.chat().completions().create(chat(12).build());
    assertEquals(12, whole.usage().orElseThrow().completionTokens());
    assertEquals("length", whole.choices().getFirst().finishReason().asString());
    StringBuilder text = new StringBuilder();
    Optional<Long> tokens = Optional.empty();
    ChatCompletionCreateParams params =
        chat(12)
            .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build())
            .build();
    try (StreamResponse<ChatCompletionChunk> stream =
        client.chat().completions().createStreaming(params)) {
      for (ChatCompletionChunk chunk : (Iterable<ChatCompletionChunk>) stream.stream()::iterator) {
        chunk.choices().forEach(choice -> choice.delta().content().ifPresent(text::append));
        tokens = chunk.usage().map(usage -> usage.completionTokens()).or(() -> Optional.empty());
      }
    }
    assertEquals(text(whole), text.toString());
    assertEquals(Optional.of(12L), tokens);
  }

  /** A token may end in the middle of a character; each part of a stream is whole ones. */
  @Test
  void charactersOfSeveralTokensComeWhole() {
    CompletionCreateParams params =
        CompletionCreateParams.builder()
            .model("any")
            .prompt("\uD83E\uDD84 \uD83E\uDD84 \uD83E\uDD84 \uD83E\uDD84 \uD83E\uDD84 \uD83E\uDD84")
            .temperature(0)
            .maxTokens(24)
            .logprobs(1)
            .build();
    Completion whole = client.completions().create(params);
    StringBuilder text = new StringBuilder();
    int tokens = 0;
    int pieces = 0;
    try (StreamResponse<Completion> stream = client.completions().createStreaming(params)) {
      for (Completion part : (Iterable<Completion>) stream.stream()::iterator) {
        text.append(part.choices().getFirst().text());
        pieces += part.choices().getFirst().text().isEmpty() ? 0 : 1;
        tokens += part.choices().getFirst().logprobs().map(OpenAiJavaTest::tokens).orElse(0);
      }
    }
    assertEquals(whole.choices().getFirst().text(), text.toString());
    assertEquals(whole.usage().orElseThrow().completionTokens(), tokens);
    if (StoryServer.isChat()) { // the story model soon ends a text of unicorns
      assertEquals(24, tokens);
      assertTrue(pieces < tokens, pieces + " pieces of " + tokens + " tokens");
      assertTrue(text.toString().contains("\uD83E\uDD84"), text.toString());
      assertFalse(text.toString().contains("\uFFFD "), text.toString());
    }
  }

  private static int tokens(CompletionChoice.Logprobs likely) {
    return likely.tokens().map(List::size).orElse(0);
  }

  @Test
  void choicesAndLogProbabilities() {
    ChatCompletion answer =
        client.chat().completions().create(chat(4).n(2).logprobs(true).topLogprobs(3).build());
    assertEquals(2, answer.choices().size());
    var likely = answer.choices().getFirst().logprobs().orElseThrow().content().orElseThrow();
    assertEquals(4, likely.size());
    assertEquals(3, likely.getFirst().topLogprobs().size());
    // The temperature is 0: the likeliest token was taken.
    assertEquals(likely.getFirst().token(), likely.getFirst().topLogprobs().getFirst().token());
    assertTrue(likely.getFirst().logprob() <= 0);
  }

  @Test
  void completions() {
    CompletionCreateParams params =
        CompletionCreateParams.builder()
            .model("any")
            .prompt("Once upon a time")
            .maxTokens(8)
            .logprobs(2)
            .build();
    Completion whole = client.completions().create(params);
    assertFalse(whole.choices().getFirst().text().isEmpty());
    assertEquals(
        8, whole.choices().getFirst().logprobs().orElseThrow().tokens().orElseThrow().size());
    try (StreamResponse<Completion> stream = client.completions().createStreaming(params)) {
      assertTrue(stream.stream().count() > 1);
    }
  }

  @Test
  void models() {
    List<String> names = client.models().list().data().stream().map(each -> each.id()).toList();
    assertEquals(1, names.size());
    assertEquals(names.getFirst(), client.models().retrieve(names.getFirst()).id());
    assertThrows(NotFoundException.class, () -> client.models().retrieve("another"));
  }

  @Test
  void errorsAreTheClientsExceptions() {
    BadRequestException wrong =
        assertThrows(
            BadRequestException.class,
            () -> client.chat().completions().create(chat(4).temperature(-1).build()));
    assertEquals("temperature", wrong.param().orElseThrow());
    assertEquals("invalid_request_error", wrong.type().orElseThrow());
    BadRequestException form =
        assertThrows(
            BadRequestException.class,
            () ->
                client
                    .chat()
                    .completions()
                    .create(
                        chat(4)
                            .putAdditionalBodyProperty(
                                "response_format", JsonValue.from(Map.of("type", "json_object")))
                            .build()));
    assertEquals("response_format", form.param().orElseThrow());
    BadRequestException length =
        assertThrows(
            BadRequestException.class,
            () -> client.chat().completions().create(chat(100_000).build()));
    assertEquals("context_length_exceeded", length.code().orElseThrow());
  }

  @Test
  void aStreamThatIsClosedIsCancelled() {
    try (StreamResponse<ChatCompletionChunk> stream =
        client
            .chat()
            .completions()
            .createStreaming(
                chat(150).putAdditionalBodyProperty("ignore_eos", JsonValue.from(true)).build())) {
      assertTrue(stream.stream().iterator().hasNext());
    }
    server.awaitIdle();
  }

  @Test
  void tokens(@TempDir Path folder) throws Exception {
    Path file = Files.createTempFile(folder, "tokens", ""); // nobody else may read it
    Files.writeString(file, "a-long-enough-token-of-a-test tenant-a 0\n");
    try (StoryServer closed = StoryServer.start(Map.of("token-file", file.toString()))) {
      OpenAIClient right = client(closed, "a-long-enough-token-of-a-test");
      OpenAIClient wrong = client(closed, "another");
      assertEquals(1, right.models().list().data().size());
      assertThrows(UnauthorizedException.class, () -> wrong.models().list());
      right.close();
      wrong.close();
    }
  }
}
