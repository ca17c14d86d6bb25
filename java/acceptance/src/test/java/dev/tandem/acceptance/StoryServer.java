package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.TandemServer;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A whole server in this process, on free ports: with SmolLM2 where the test data has it, which
 * answers as a chat model does; else with the built-in model, which tells stories.
 */
final class StoryServer implements AutoCloseable {

  private static final String SMALL = "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

  private final TandemServer server;

  private StoryServer(Map<String, String> more) {
    Map<String, String> flags = new HashMap<>(more);
    flags.put("model", model().toString());
    flags.put("port", "0");
    flags.put("http-port", "0");
    flags.put("ctx-size", "256");
    server =
        TandemServer.start(ServerOptions.of(Configuration.of(Optional.empty(), Map.of(), flags)));
    server.ready().orTimeout(60, TimeUnit.SECONDS).join();
  }

  static StoryServer start() {
    return new StoryServer(Map.of());
  }

  /**
   * @param more options of the server by name
   */
  static StoryServer start(Map<String, String> more) {
    return new StoryServer(more);
  }

  /** The repository's root. */
  static Path root() {
    return Path.of("../..").toAbsolutePath().normalize();
  }

  private static Path model() {
    Optional<String> named = Optional.ofNullable(System.getenv("TANDEM_TEST_DATA"));
    Path data = named.map(Path::of).orElse(root().resolveSibling("shared/data"));
    Path small = data.resolve(SMALL);
    Path stories = root().resolve("java/cli/src/main/dist/models/stories.gguf");
    assertTrue(Files.exists(stories), "the built-in model is missing: " + stories);
    return Files.exists(small) ? small : stories;
  }

  /** Whether it is the chat model, which knows more than letters. */
  static boolean isChat() {
    return model().endsWith(Path.of(SMALL));
  }

  int port() {
    return server.httpAddress().getPort();
  }

  /** Where the API is, as clients want to be told. */
  String url() {
    return "http://localhost:" + port() + "/v1";
  }

  /** Requests that have not ended. */
  int unfinished() {
    return server.desk().unfinished();
  }

  /** Waits until nothing is generated any more. */
  void awaitIdle() {
    try {
      assertTrue(server.desk().awaitIdle(Duration.ofSeconds(20)));
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    server.close();
  }
}
