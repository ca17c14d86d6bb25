package dev.tandem.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.client.ClientOptions;
import dev.tandem.client.Completion;
import dev.tandem.client.TandemClient;
import dev.tandem.client.TandemException;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.LogFormat;
import dev.tandem.server.config.LogLevel;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.log.LogSetup;
import dev.tandem.server.log.StartLog;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server with a real model and both protocols: what is loaded, served, logged and counted. */
@Timeout(180)
class WholeServerTest {

  private static final Path MODEL = Path.of("../cli/src/main/dist/models/stories.gguf");
  private static final String TOKEN = "canary-token-0123456789";
  private static final String PROMPT = "canary-prompt Once upon a time";

  @TempDir private Path folder;
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private final HttpClient http = HttpClient.newHttpClient();

  @BeforeEach
  void logEverything() {
    LogSetup.configure(new ServerOptions.Log(LogFormat.JSON, LogLevel.TRACE), log);
  }

  @AfterEach
  void logNothing() {
    LogSetup.configure(
        new ServerOptions.Log(LogFormat.TEXT, LogLevel.ERROR),
        ByteArrayOutputStream.nullOutputStream());
    http.close();
  }

  private String logged() {
    return log.toString(StandardCharsets.UTF_8);
  }

  private static Configuration configuration(String... words) {
    Map<String, String> flags =
        new HashMap<>(Map.of("port", "0", "http-port", "0", "model", MODEL.toString()));
    for (int i = 0; i < words.length; i += 2) {
      flags.put(words[i], words[i + 1]);
    }
    return Configuration.of(Optional.empty(), Map.of(), flags);
  }

  private static TandemServer started(Configuration configuration) throws Exception {
    ServerOptions options = ServerOptions.of(configuration);
    ModelLoader loader = new ModelLoader(MODEL, options, "");
    TandemServer server = TandemServer.start(options, loader, new StartLog(options));
    server.ready().get(60, TimeUnit.SECONDS);
    return server;
  }

  private static URI uri(TandemServer server, String path) {
    return URI.create("http://127.0.0.1:" + server.httpAddress().getPort() + path);
  }

  private HttpResponse<String> post(TandemServer server, String path, String token, String body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(uri(server, path))
            .header("Authorization", "Bearer " + token)
            .header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(60))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private String get(TandemServer server, String path) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(uri(server, path))
            .header("Authorization", "Bearer " + TOKEN)
            .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  private static TandemClient client(TandemServer server, String token) {
    return TandemClient.connect(
        ClientOptions.to("127.0.0.1", server.rpcAddress().getPort()).token(token).build());
  }

  private static GenerateRequest generate(String prompt, int tokens) {
    return GenerateRequest.newBuilder().setText(prompt).setMaxTokens(tokens).build();
  }

  @Test
  void neitherPromptsNorTokensAreToldToAnybodyElse() throws Exception {
    Path tokens = Files.writeString(folder.resolve("tokens"), TOKEN + " alice 5\n");
    Files.setPosixFilePermissions(tokens, PosixFilePermissions.fromString("rw-------"));
    Configuration configuration = configuration("token-file", tokens.toString());
    StringBuilder told = new StringBuilder(configuration.print());
    told.append(ServerOptions.of(configuration));
    try (TandemServer server = started(configuration)) {
      HttpResponse<String> answer =
          post(
              server,
              "/v1/completions",
              TOKEN,
              "{\"prompt\":\"%s\",\"max_tokens\":4,\"stop\":\"canary-stop\"}".formatted(PROMPT));
      assertEquals(200, answer.statusCode(), answer.body());
      for (String body :
          List.of(
              "{\"prompt\":\"%s".formatted(PROMPT),
              "{\"prompt\":\"%s\",\"max_tokens\":-1}".formatted(PROMPT),
              "{\"prompt\":\"%s\",\"max_tokens\":100000}".formatted(PROMPT),
              "{\"prompt\":\"%s\",\"temperature\":\"canary-value\"}".formatted(PROMPT),
              "{\"prompt\":{\"canary-prompt\":1}}",
              "canary-prompt")) {
        answer = post(server, "/v1/completions", TOKEN, body);
        assertEquals(400, answer.statusCode(), answer.body());
        told.append(answer.body()).append(answer.headers());
      }
      answer = post(server, "/v1/completions", "canary-token-of-nobody", "{}");
      assertEquals(401, answer.statusCode());
      told.append(answer.body()).append(answer.headers());
      try (TandemClient client = client(server, TOKEN)) {
        Completion completion = client.complete(generate(PROMPT, 4)).get(60, TimeUnit.SECONDS);
        assertFalse(completion.toString().isEmpty());
        String open = get(server, "/metrics");
        assertTrue(open.contains("tandem_connections{protocol=\"rpc\"} 1.0"), open);
        assertTrue(open.contains("tandem_connections{protocol=\"http\"} 1.0"), open);
        Exception refused =
            assertThrows(
                Exception.class,
                () -> client.complete(generate(PROMPT, 1_000_000)).get(60, TimeUnit.SECONDS));
        told.append(refused);
      }
      assertThrows(TandemException.class, () -> client(server, "canary-token-of-nobody").close());
      String metrics = get(server, "/metrics");
      assertTrue(metrics.contains("tandem_"), metrics);
      told.append(metrics);
      server.drain(Duration.ofSeconds(30));
    }
    told.append(logged());
    assertFalse(told.toString().contains("canary"), () -> around(told.toString()));
    assertTrue(logged().contains("\"message\":\"finished\""), logged());
  }

  private static String around(String told) {
    int at = told.indexOf("canary");
    return told.substring(Math.max(0, at - 300), Math.min(told.length(), at + 100));
  }

  @Test
  void everyLineOfARequestHasItsId() throws Exception {
    try (TandemServer server = started(configuration())) {
      HttpResponse<String> answer =
          post(server, "/v1/completions", "", "{\"prompt\":\"Once\",\"max_tokens\":3}");
      assertEquals(200, answer.statusCode(), answer.body());
      server.drain(Duration.ofSeconds(30));
    }
    ObjectMapper json = new ObjectMapper();
    int finished = 0;
    for (String line : logged().split("\n")) {
      var event = json.readTree(line);
      if (event.path("message").asText().equals("finished")) {
        finished++;
        assertFalse(event.path("request").asText().isEmpty(), line);
        assertEquals("http", event.path("protocol").asText());
        assertEquals(3, event.path("answer_tokens").asInt());
        assertTrue(event.path("prompt_tokens").asInt() > 0, line);
        assertTrue(event.path("total_s").isNumber(), line);
      }
    }
    assertEquals(1, finished, logged());
  }

  @Test
  void memoryIsDividedAsTheSettingsSay() throws Exception {
    try (TandemServer server =
        started(configuration("parallel", "3", "ctx-size", "100", "kv-memory", "1MiB"))) {
      var card = server.desk().ready().card();
      assertEquals(100, card.contextTokens());
      assertTrue(server.desk().ready().load().kvTokens() * 2048 <= 1 << 20);
      assertTrue(server.desk().ready().load().kvTokens() >= 100);
      String answer =
          post(server, "/v1/completions", "", "{\"prompt\":\"Once\",\"max_tokens\":101}").body();
      assertTrue(answer.contains("(-c)"), answer);
    }
  }

  @Test
  void aCacheThatHoldsNoWholeRequestIsRefused() {
    ServerOptions options =
        ServerOptions.of(configuration("ctx-size", "256", "kv-memory", "64KiB"));
    try (TandemServer server =
        TandemServer.start(options, new ModelLoader(MODEL, options, ""), new StartListener() {})) {
      Exception failure =
          assertThrows(Exception.class, () -> server.ready().get(60, TimeUnit.SECONDS));
      assertTrue(failure.getMessage().contains("--kv-memory 64.0 KiB holds"), failure.getMessage());
      assertTrue(failure.getMessage().contains("at least"), failure.getMessage());
    }
  }

  @Test
  void withoutAPoolSizeEveryParallelRequestHasRoom() throws Exception {
    try (TandemServer server = started(configuration("parallel", "4"))) {
      var card = server.desk().ready().card();
      assertEquals(4L * card.contextTokens(), server.desk().ready().load().kvTokens());
      assertEquals("F16", card.format());
      assertTrue(card.placement().startsWith("cpu "), card.placement());
    }
  }

  @Test
  void theWebPageCanBeSwitchedOff() throws Exception {
    try (TandemServer server = started(configuration())) {
      assertTrue(get(server, "/").contains("<html"));
    }
    try (TandemServer server = started(configuration("no-web", "true"))) {
      assertFalse(get(server, "/").contains("<html"));
    }
  }
}
