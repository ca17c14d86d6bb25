package dev.tandem.web;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A streamed answer whose pieces a test gives one by one, so that it can look at the page between
 * them.
 */
final class Feed implements ScriptedServer.Answer {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final byte[] END = {};

  private final BlockingQueue<byte[]> pieces = new LinkedBlockingQueue<>();
  private final CountDownLatch left = new CountDownLatch(1);

  /** An answer that is there from the start. */
  static Feed of(String... pieces) {
    Feed feed = new Feed();
    for (String piece : pieces) {
      feed.say(piece);
    }
    feed.finish(pieces.length);
    return feed;
  }

  /** A piece of the answer's text. */
  void say(String text) {
    event(Map.of("choices", List.of(Map.of("index", 0, "delta", Map.of("content", text)))));
  }

  /** The end as the server has it: the reason, then usage and timings, then {@code [DONE]}. */
  void finish(int tokens) {
    event(
        Map.of(
            "choices",
            List.of(Map.of("index", 0, "delta", Map.of(), "finish_reason", "stop")),
            "timings",
            Map.of("tokens_per_second", 38.4, "time_to_first_token_ms", 120.0)));
    event(
        Map.of(
            "choices",
            List.of(),
            "usage",
            Map.of("prompt_tokens", 5, "completion_tokens", tokens, "total_tokens", tokens + 5)));
    raw("data: [DONE]\n\n".getBytes(StandardCharsets.UTF_8));
    cut();
  }

  void event(Map<String, Object> content) {
    raw(("data: " + json(content) + "\n\n").getBytes(StandardCharsets.UTF_8));
  }

  static String json(Object content) {
    try {
      return JSON.writeValueAsString(content);
    } catch (IOException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /** Bytes as they are, which go out by themselves. */
  void raw(byte[] bytes) {
    pieces.add(bytes);
  }

  /** Ends the response here. */
  void cut() {
    pieces.add(END);
  }

  /** Waits until the browser has gone in the middle of the answer. */
  boolean isLeft() throws InterruptedException {
    return left.await(10, TimeUnit.SECONDS);
  }

  @Override
  public void to(HttpExchange exchange) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.sendResponseHeaders(200, 0);
    try (OutputStream out = exchange.getResponseBody()) {
      for (byte[] piece = next(); piece != END; piece = next()) {
        out.write(piece);
        out.flush();
      }
    } catch (IOException e) {
      left.countDown();
      throw e;
    }
  }

  /** The next piece, or a heartbeat, whose writing fails once the browser has gone. */
  private byte[] next() throws IOException {
    try {
      byte[] piece = pieces.poll(50, TimeUnit.MILLISECONDS);
      return piece == null ? ": heartbeat\n\n".getBytes(StandardCharsets.UTF_8) : piece;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }
}
