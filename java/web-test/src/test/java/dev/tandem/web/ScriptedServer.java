package dev.tandem.web;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tandem.server.http.WebPage;
import dev.tandem.server.http.WebResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Serves the page itself and, in place of an engine, the answers that a test has written down. Each
 * has a port of its own, and with it an empty sessionStorage.
 */
final class ScriptedServer implements AutoCloseable {

  /** Writes one response. */
  @FunctionalInterface
  interface Answer {
    void to(HttpExchange exchange) throws IOException;
  }

  static final String MODEL =
      """
      {"object": "list", "data": [{"id": "stories", "object": "model", "created": 1, "owned_by": "tandem",
        "meta": {"placement": "CPU, 2 threads, AVX-512", "format": "Q4_0", "parameters": 1100000000,
        "context_tokens": 8192, "sampling": {"temperature": 0.8, "top_p": 0.95}}}]}
      """;

  private final WebPage page = WebPage.load();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final List<JsonNode> chats = new CopyOnWriteArrayList<>();
  private final List<String> tokens = new CopyOnWriteArrayList<>();
  private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
  private volatile Answer models = json(200, MODEL);
  private volatile Answer health = json(200, "{\"status\": \"ok\"}");
  private final HttpServer server;

  private ScriptedServer(int port) throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  static ScriptedServer start() {
    return start(0);
  }

  static ScriptedServer start(int port) {
    try {
      return new ScriptedServer(port);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  int port() {
    return server.getAddress().getPort();
  }

  String url() {
    return "http://127.0.0.1:" + port() + "/";
  }

  /** What the next requests for chats get, in turn; behind the last, 500. */
  ScriptedServer chat(Answer... next) {
    answers.addAll(List.of(next));
    return this;
  }

  ScriptedServer models(Answer answer) {
    models = answer;
    return this;
  }

  ScriptedServer health(Answer answer) {
    health = answer;
    return this;
  }

  /** The bodies of the chats that were asked for. */
  List<JsonNode> chats() {
    return chats;
  }

  /** The Authorization of each request to /v1/, "" where there was none. */
  List<String> tokens() {
    return tokens;
  }

  static Answer json(int status, String body) {
    return json(status, body, Map.of());
  }

  static Answer json(int status, String body, Map<String, String> headers) {
    return exchange -> {
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      headers.forEach(exchange.getResponseHeaders()::set);
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(status, bytes.length);
      exchange.getResponseBody().write(bytes);
    };
  }

  /** An error in OpenAI's shape. */
  static Answer error(int status, String message, Map<String, String> headers) {
    return json(status, Feed.json(Map.of("error", Map.of("message", message))), headers);
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      byte[] body = exchange.getRequestBody().readAllBytes();
      if (path.startsWith("/v1/")) {
        String token = exchange.getRequestHeaders().getFirst("Authorization");
        tokens.add(token == null ? "" : token);
      }
      switch (path) {
        case "/v1/models" -> models.to(exchange);
        case "/health" -> health.to(exchange);
        case "/v1/chat/completions" -> {
          chats.add(new ObjectMapper().readTree(body));
          Answer next = answers.poll();
          (next == null ? error(500, "no answer was written down", Map.of()) : next).to(exchange);
        }
        default -> file(exchange, path);
      }
    }
  }

  private void file(HttpExchange exchange, String path) throws IOException {
    Optional<String> known =
        Optional.ofNullable(exchange.getRequestHeaders().getFirst("If-None-Match"));
    Optional<WebResponse> found = page.get(path, known);
    if (found.isEmpty()) {
      exchange.sendResponseHeaders(404, -1);
      return;
    }
    WebResponse response = found.get();
    response.headers().forEach(exchange.getResponseHeaders()::set);
    byte[] bytes = new byte[response.body().remaining()];
    response.body().duplicate().get(bytes);
    exchange.sendResponseHeaders(response.status(), bytes.length == 0 ? -1 : bytes.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(bytes);
    }
  }

  /** Connections are cut, as when the process is killed. */
  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
