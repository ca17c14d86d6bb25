package dev.tandem.cli.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class SseTargetTest {

  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final String END =
      "data: {\"choices\":[],\"usage\":{\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

  private HttpServer server;
  private volatile String answer = "";
  private volatile int status = 200;
  private volatile long announced; // 0 = in chunks
  private volatile String asked = "";

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/v1/models",
        exchange ->
            send(exchange, 200, 0, "{\"data\":[{\"vocabulary\":77,\"context_tokens\":512}]}"));
    server.createContext(
        "/v1/completions",
        exchange -> {
          asked = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
          send(exchange, status, announced, answer);
        });
    server.start();
  }

  private static void send(HttpExchange exchange, int status, long length, String text)
      throws IOException {
    try (OutputStream out = exchange.getResponseBody()) {
      exchange.sendResponseHeaders(status, length);
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private SseTarget target() {
    URI uri = URI.create("http://localhost:" + server.getAddress().getPort());
    return new SseTarget(uri, Optional.empty(), PATIENCE);
  }

  @Test
  void countsWhatTheServerCountsAndKeepsItsConnection() {
    String event = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
    answer = ": a comment\n\n" + event + event + END;
    try (SseTarget target = target()) {
      assertEquals(77, target.vocabulary());
      assertEquals(512, target.contextTokens());
      for (int i = 0; i < 3; i++) {
        Sample sample = target.run(new int[] {4, 5}, 3);
        assertEquals(Optional.empty(), sample.error());
        assertEquals(3, sample.tokens());
        assertTrue(sample.sent() < sample.first() && sample.first() <= sample.ended());
      }
      assertTrue(asked.contains("\"prompt\":[4, 5]"), asked);
      assertTrue(asked.contains("\"max_tokens\":3"), asked);
    }
  }

  /** Servers write JSON each in its own way, and texts may look like anything. */
  @Test
  void eventsAreReadAsJson() {
    answer =
        """
        data:{ "object" : "x", "usage" : null, "error" : null, "choices" : [ { "text" : "a", "logprobs" : {"tokens" : ["a"]} }, {"index":1} ] }

        data: {"choices": [{"text": "\\"choices\\":[{ \\"completion_tokens\\": 99"}]}

        data: {"choices": []}

        data: {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens" : 7} }

        data:[DONE]

        """;
    try (SseTarget target = target()) {
      Sample sample = target.run(new int[] {4, 5}, 3);
      assertEquals(Optional.empty(), sample.error());
      assertEquals(7, sample.tokens());
      answer = "data: {\"choices\": [{\"text\": \"a\"}]}\n\ndata: [DONE]\n\n";
      assertEquals(1, target.run(new int[] {4, 5}, 3).tokens(), "pieces, where nobody counts");
      answer = "data: { \"error\": {\"message\": \"the device failed\"} }\n\n";
      assertEquals(Optional.of("the device failed"), target.run(new int[] {1}, 1).error());
      answer = "data: {broken\n\n";
      assertTrue(target.run(new int[] {1}, 1).error().isPresent());
    }
  }

  @Test
  void aRefusalIsAnErrorWithoutItsNumbers() {
    status = 429;
    answer = "{\"error\":{\"message\":\"272 requests run or wait\",\"code\":\"overloaded\"}}";
    try (SseTarget target = target()) {
      assertEquals(
          Optional.of("HTTP 429: N requests run or wait"), target.run(new int[] {1}, 1).error());
    }
  }

  @Test
  void anErrorInTheStreamAndAStreamWithoutAnEndAreErrors() {
    try (SseTarget target = target()) {
      answer = "data: {\"error\":{\"message\":\"the generation failed\"}}\n\n";
      assertEquals(Optional.of("the generation failed"), target.run(new int[] {1}, 1).error());
      answer = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
      assertEquals(
          Optional.of("the stream ended without [DONE]"), target.run(new int[] {1}, 1).error());
      announced = 1000;
      assertTrue(target.run(new int[] {1}, 1).error().orElse("").contains("closed"));
    }
  }

  @Test
  void whoCannotBeReachedIsNamed() {
    int port = server.getAddress().getPort();
    server.stop(0);
    UncheckedIOException e =
        assertThrows(
            UncheckedIOException.class,
            () ->
                new SseTarget(URI.create("http://localhost:" + port), Optional.empty(), PATIENCE));
    assertTrue(e.getMessage().contains("localhost:" + port), e.getMessage());
  }
}
