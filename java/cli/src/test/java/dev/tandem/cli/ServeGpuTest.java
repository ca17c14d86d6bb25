package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code tandem serve} on a GPU that is lost, or has too little memory. */
class ServeGpuTest {

  private static final String REQUEST =
      "{\"prompt\": \"Once upon a time\", \"max_tokens\": 60, \"seed\": %d, \"temperature\": 0.8}";

  @BeforeAll
  static void needsTheLibrary() {
    GpuWeatherTest.needsTheLibrary();
  }

  /** A server in a process of its own. */
  private static final class Server implements AutoCloseable {
    private final Process process;
    private final HttpClient http = HttpClient.newHttpClient();
    private final StringBuilder log = new StringBuilder();
    private final URI address;

    Server(String settings, String... options) throws IOException {
      List<String> words =
          new ArrayList<>(
              List.of("serve", "--port", "0", "--http-port", "0", "--log-format", "text"));
      words.addAll(List.of("--no-web", "--ctx-size", "128", "--parallel", "4"));
      words.addAll(List.of(options));
      ProcessBuilder builder =
          Tandem.process(
              List.of("--enable-native-access=ALL-UNNAMED", "-Xmx256m"),
              words.toArray(String[]::new));
      builder.environment().put("TANDEM_EMULATED", settings);
      process = builder.redirectErrorStream(true).start();
      CompletableFuture<URI> found = new CompletableFuture<>();
      Thread.ofVirtual().start(() -> read(found));
      try {
        address = found.orTimeout(30, TimeUnit.SECONDS).join();
      } catch (RuntimeException e) {
        process.destroyForcibly();
        throw new AssertionError(log(), e);
      }
    }

    private void read(CompletableFuture<URI> found) {
      Pattern url = Pattern.compile("OpenAI's API +(http://\\S+)/v1");
      try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          synchronized (log) {
            log.append(line).append('\n');
          }
          Matcher matcher = url.matcher(line);
          if (matcher.find()) {
            found.complete(URI.create(matcher.group(1)));
          }
        }
      } catch (IOException e) {
        found.completeExceptionally(e);
      }
      found.completeExceptionally(new IllegalStateException("it ended"));
    }

    String log() {
      synchronized (log) {
        return log.toString();
      }
    }

    HttpResponse<String> get(String path) throws IOException, InterruptedException {
      return http.send(
          HttpRequest.newBuilder(address.resolve(path)).build(),
          HttpResponse.BodyHandlers.ofString());
    }

    CompletableFuture<HttpResponse<String>> complete(int seed) {
      HttpRequest request =
          HttpRequest.newBuilder(address.resolve("/v1/completions"))
              .header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(REQUEST.formatted(seed)))
              .build();
      return http.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    }

    /** Texts of requests at the same time. */
    List<HttpResponse<String>> completions() throws InterruptedException, IOException {
      for (int i = 0; i < 300 && get("/health").statusCode() != 200; i++) {
        Thread.sleep(100);
      }
      return List.of(complete(1), complete(2), complete(3)).stream()
          .map(CompletableFuture::join)
          .toList();
    }

    static String text(HttpResponse<String> response) {
      assertEquals(200, response.statusCode(), response.body());
      return response.body().replaceAll(".*\"text\": ?\"((\\\\.|[^\"\\\\])*)\".*", "$1");
    }

    @Override
    public void close() {
      http.shutdownNow();
      process.destroy();
      try {
        if (!process.waitFor(20, TimeUnit.SECONDS)) {
          process.destroyForcibly();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Test
  void theCpuGoesOnWithTheSameTexts() throws Exception {
    List<String> expected;
    try (Server server = new Server("", "--device", "cpu")) {
      expected = server.completions().stream().map(Server::text).toList();
    }
    String[] options = {"--device", "emulated:0/host", "--on-device-loss", "cpu"};
    for (int operation : new int[] {40, 2000}) {
      try (Server server = new Server("lose-at=" + operation, options)) {
        assertEquals(expected, server.completions().stream().map(Server::text).toList());
        assertEquals(200, server.get("/health").statusCode());
        assertTrue(server.log().contains("is lost: goes on with the CPU"), server.log());
        String models = server.get("/v1/models").body();
        assertTrue(models.replace(" ", "").contains("\"placement\":\"cpu"), models);
      }
    }
  }

  @Test
  void elseRequestsFailAndTheServerIsNotReady() throws Exception {
    try (Server server = new Server("lose-at=2000", "--device", "emulated:0/host")) {
      int failed = 0;
      for (HttpResponse<String> response : server.completions()) {
        failed += response.statusCode() == 200 ? 0 : 1;
        assertTrue(response.statusCode() == 200 || response.statusCode() == 500, response.body());
      }
      assertTrue(failed > 0, "none failed");
      HttpResponse<String> health = server.get("/health");
      assertEquals(503, health.statusCode());
      assertTrue(health.body().contains("emulated:0 is lost"), health.body());
      assertTrue(health.body().contains("\"failed\""), health.body());
      HttpResponse<String> later = server.complete(4).join();
      assertEquals(500, later.statusCode());
      assertTrue(later.body().contains("emulated:0 is lost"), later.body());
    }
  }

  @Test
  void aModelThatDoesNotFitIsNotServed() {
    Tandem.Result run =
        Tandem.run(
            "serve",
            "--port",
            "0",
            "--http-port",
            "0",
            "--device",
            "emulated:0/host",
            "--gpu-memory",
            "8MiB");
    assertEquals(1, run.code());
    assertTrue(run.err().contains("8.0 MiB are available on emulated:0/host"), run.err());
  }
}
