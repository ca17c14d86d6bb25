package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.Await;
import dev.tandem.server.http.RawConnection.Reply;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.transport.ConnectionLimit;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that do what they may not, or die. Each has its answer, and the server lives. */
@Timeout(120)
final class HttpWeatherTest {

  private static final String CHAT = "/v1/chat/completions";

  private static void assertAlive(HttpPort port) {
    assertEquals(200, port.get("/health").statusCode());
    assertEquals(200, port.post(CHAT, Requests.chat("")).statusCode());
  }

  private static String head(String more) {
    return "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + more
        + "\r\n";
  }

  static Stream<Arguments> wrongRequests() {
    return Stream.of(
        Arguments.of(
            "both lengths",
            400,
            head("Content-Length: 15\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "both lengths, the other way",
            400,
            head("Transfer-Encoding: chunked\r\nContent-Length: 15\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "two lengths",
            400,
            head("Content-Length: 15\r\nContent-Length: 16\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "the same length twice",
            400,
            head("Content-Length: 15\r\nContent-Length: 15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "a list of lengths", 400, head("Content-Length: 15, 15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "a length with a sign", 400, head("Content-Length: +15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of("a negative length", 400, head("Content-Length: -1\r\n")),
        Arguments.of("a length that is no number", 400, head("Content-Length: 0x0f\r\n")),
        Arguments.of(
            "a length beyond 64 bits", 400, head("Content-Length: 99999999999999999999\r\n")),
        Arguments.of("a giant length", 413, head("Content-Length: 9999999999\r\n")),
        Arguments.of(
            "a bare LF in the first line", 400, "GET /live HTTP/1.1\nHost: localhost\r\n\r\n"),
        Arguments.of("a bare LF in a field", 400, "GET /live HTTP/1.1\r\nHost: localhost\n\r\n"),
        Arguments.of("a bare LF at the end", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\n\n"),
        Arguments.of(
            "a bare CR in a field",
            400,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\rc\r\n\r\n"),
        Arguments.of(
            "a folded field", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n"),
        Arguments.of(
            "a folded field, by a tab",
            400,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n\tc\r\n\r\n"),
        Arguments.of("a folded first field", 400, "GET /live HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        Arguments.of(
            "a folded field behind an empty line",
            400,
            "\r\nGET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n"),
        Arguments.of(
            "a blank before the colon", 400, "GET /live HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        Arguments.of("no colon", 400, "GET /live HTTP/1.1\r\nHost localhost\r\n\r\n"),
        Arguments.of(
            "a NUL in a field", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n"),
        Arguments.of("no host", 400, "GET /live HTTP/1.1\r\n\r\n"),
        Arguments.of(
            "two hosts", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
        Arguments.of(
            "two tokens",
            400,
            "GET /live HTTP/1.1\r\n"
                + "Host: localhost\r\n"
                + "Authorization: Bearer a\r\n"
                + "Authorization: Bearer b\r\n\r\n"),
        Arguments.of(
            "two types",
            400,
            head("Content-Type: application/json\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of(
            "a compressed body",
            415,
            head("Content-Encoding: gzip\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of(
            "a compressed transfer",
            501,
            head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "chunked twice", 400, head("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "an unknown transfer", 400, head("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "chunks in HTTP/1.0",
            400,
            head("Transfer-Encoding: chunked\r\n").replace("1.1", "1.0") + "0\r\n\r\n"),
        Arguments.of(
            "a chunk without a size", 400, head("Transfer-Encoding: chunked\r\n") + "zz\r\n\r\n"),
        Arguments.of(
            "a negative chunk", 400, head("Transfer-Encoding: chunked\r\n") + "-1\r\n\r\n"),
        Arguments.of(
            "a chunk with a bare LF", 400, head("Transfer-Encoding: chunked\r\n") + "2\n{}\n0\n\n"),
        Arguments.of(
            "an unknown expectation",
            417,
            head("Expect: a-miracle\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of("no type", 415, head("").replace("Content-Type", "X-Type")),
        Arguments.of(
            "a form",
            415,
            head("Content-Length: 2\r\n").replace("application/json", "text/plain") + "{}"),
        Arguments.of("no path", 400, "GET live HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Arguments.of(
            "a path that is not encoded well", 400, "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Arguments.of("a giant path", 414, "GET /" + "a".repeat(20_000) + " HTTP/1.1\r\n"),
        Arguments.of(
            "a giant field",
            431,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: " + "b".repeat(40_000)),
        Arguments.of(
            "many fields",
            431,
            "GET /live HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n".repeat(5_000)),
        Arguments.of("another version", 505, "GET /live HTTP/3.0\r\nHost: localhost\r\n\r\n"),
        Arguments.of("no HTTP", 400, "hello\r\n\r\n"),
        Arguments.of("TLS", 400, "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n"),
        Arguments.of(
            "a connect", 400, "CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongRequests")
  void wrongRequestsAreErrors(String what, int status, String request) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(request);
      Reply reply = raw.read();
      assertEquals(status, reply.status(), what);
      assertTrue(CompletionsTest.json(reply.body()).has("error"), reply.body());
      // Where the end of the request is not known, nothing behind it is read.
      if (reply.headers().containsKey("connection")) {
        raw.send(Requests.get("/live"));
        assertEquals("", raw.toEnd());
      }
      assertAlive(port);
    }
  }

  /** What follows a request that two programs could end at two places must never be answered. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 15\r\nContent-Length: 16\r\n",
        "Content-Length: 15\r\nContent-Length: 15\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "A: b\r\n c: d\r\nContent-Length: 15\r\n",
        "Content-Encoding: gzip\r\nContent-Length: 15\r\n",
      })
  void whatFollowsADoubtfulRequestIsNotServed(String fields) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(head(fields) + "{\"content\":\"a\"}" + Requests.get("/live"));
      Reply reply = raw.read();
      assertTrue(reply.status() >= 400, reply.toString());
      assertEquals("close", reply.headers().get("connection"));
      assertEquals("", raw.toEnd());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "[]",
        "5",
        "\"a\"",
        "{",
        "{\"content\":\"a\"",
        "{\"content\":\"a\"} {}",
        "{\"content\":\"a\",}",
        "{content:1}",
        "{\"content\":\"\\x\"}",
        "{\"content\":\"\u0001\"}",
        "{\"content\":\"\\ud8\"}",
        "{\"content\":\"a\",\"content\":\"b\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"role\":\"system\"}]}",
        "{\"temperature\":NaN}",
        "{\"temperature\":-Infinity}",
        "\u00ef\u00bb\u00bf{}",
        "<xml/>",
      })
  void whatIsNoJsonIsAnError(String body) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      for (String path : List.of("/tokenize", CHAT)) {
        HttpResponse<String> response = port.post(path, body);
        assertEquals(400, response.statusCode(), response.body());
        assertTrue(response.body().contains("invalid_json"), response.body());
      }
      assertAlive(port);
    }
  }

  @Test
  void jsonMayNotBeTooDeepNorTooMuch() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      List<String> bodies =
          List.of(
              "{\"a\":" + "[".repeat(1_000_000),
              "{\"a\":" + "{\"b\":".repeat(100_000),
              "{\"a\":[" + "0,".repeat(1_000_000) + "0]}",
              "{\"a\":" + "9".repeat(1_000_000) + "}",
              "{\"" + "a".repeat(1_000_000) + "\":1}");
      for (String body : bodies) {
        HttpResponse<String> response = port.post("/tokenize", body);
        assertEquals(400, response.statusCode());
        assertTrue(response.body().contains("invalid_json"), response.body());
      }
      assertAlive(port);
    }
  }

  @Test
  void variablesOfATemplateTakeTimeByTheirNumber() {
    StringBuilder variables = new StringBuilder("\"enable_thinking\":false");
    for (int i = 0; i < 100_000; i++) { // copied with each further one, they would take minutes
      variables.append(",\"v").append(i).append("\":1");
    }
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      HttpResponse<String> response =
          port.post(CHAT, Requests.chat(",\"chat_template_kwargs\":{" + variables + "}"));
      assertEquals(200, response.statusCode(), response.body());
    }
  }

  @Test
  void whatIsNoUtf8IsAnError() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      for (String bytes :
          List.of(
              "\u00ff",
              "\u00c3",
              "\u00c0\u0080",
              "\u00ed\u00a0\u0080",
              "\u00f5\u0080\u0080\u0080")) {
        String body = "{\"content\":\"" + bytes + "\"}";
        raw.send(head("Content-Length: " + body.length() + "\r\n") + body);
        Reply reply = raw.read();
        assertEquals(400, reply.status());
        assertTrue(reply.body().contains("UTF-8"), reply.body());
      }
      // Half a character that JSON spells out is one of the tokenizer's: it becomes U+FFFD.
      raw.send(Requests.post("/tokenize", "{\"content\":\"\\ud800\"}"));
      assertEquals(200, raw.read().status());
    }
  }

  @Test
  void promptsOfAMegabyteAreReadAndRefusedForTheirLength() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      String text = "a b c d ".repeat(1 << 17);
      HttpResponse<String> chat =
          port.post(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}");
      assertEquals(400, chat.statusCode());
      assertTrue(chat.body().contains("context_length_exceeded"), chat.body());
      assertEquals(200, port.post("/tokenize", "{\"content\":\"" + text + "\"}").statusCode());
      assertEquals(
          413, port.post("/tokenize", "{\"content\":\"" + text.repeat(5) + "\"}").statusCode());
      assertAlive(port);
    }
  }

  @Test
  void bodiesOfAllConnectionsHaveALimitTogether() {
    HttpOptions options = HttpOptions.defaults().withBodies(1 << 20, 3 << 20);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), options)) {
      List<RawConnection> many = new ArrayList<>();
      try {
        for (int i = 0; i < 3; i++) { // each but one byte of a megabyte
          many.add(port.connect().send(head("Content-Length: 1048576\r\n") + " ".repeat(1048575)));
        }
        // Which one finds no room depends on which is read first.
        Await.until(() -> isFull(port, many));
      } finally {
        many.forEach(RawConnection::close);
      }
      // What the others had is free again.
      Await.until(() ->
          port.post("/tokenize", "{\"content\":\"" + "a".repeat(1000) + "\"}").statusCode() == 200);
      assertAlive(port);
    }
  }

  private static boolean isFull(HttpPort port, List<RawConnection> many) {
    for (RawConnection each : many) {
      if (each.hasInput()) {
        assertEquals(503, each.read().status());
        return true;
      }
    }
    try (RawConnection other = port.connect()) {
      other.send(head("Content-Length: 1000\r\n") + " ".repeat(1000));
      Reply reply = other.read();
      boolean full = reply.status() == 503;
      assertEquals(full, reply.headers().containsKey("retry-after"));
      return full;
    }
  }

  @Test
  void chunksMayNotGoBeyondTheLimitEither() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(head("Transfer-Encoding: chunked\r\n"));
      String chunk = "10000\r\n" + "a".repeat(1 << 16) + "\r\n";
      for (int i = 0; i < 65; i++) {
        raw.send(chunk);
      }
      assertEquals(413, raw.read().status());
      assertAlive(port);
    }
  }

  @Test
  void slowRequestsAreGivenUp() {
    HttpOptions options =
        HttpOptions.defaults()
            .withTimeouts(
                Duration.ofMillis(200),
                Duration.ofMillis(200),
                Duration.ofMillis(300),
                Duration.ofSeconds(5));
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), options)) {
      for (String half :
          List.of("G", "GET /live HTTP/1.1\r\nHost: loc", head("Content-Length: 100\r\n") + "{")) {
        try (RawConnection raw = port.connect()) {
          raw.send(half);
          assertEquals(408, raw.read().status());
          assertEquals("", raw.toEnd());
        }
      }
      try (RawConnection raw = port.connect()) { // a byte now and then prolongs nothing
        Thread drip =
            Thread.ofVirtual()
                .start(() -> {
                  raw.send("GET /live HTTP/1.1\r\n");
                  while (!Thread.interrupted()) {
                    raw.send("A: b\r\n");
                    try {
                      Thread.sleep(20);
                    } catch (InterruptedException e) {
                      return;
                    }
                  }
                });
        assertEquals(408, raw.read().status());
        drip.interrupt();
      }
      try (RawConnection raw = port.connect()) { // one that says nothing hears nothing
        assertEquals("", raw.toEnd());
      }
      try (RawConnection raw = port.connect()) {
        raw.send(Requests.get("/live"));
        assertEquals(200, raw.read().status());
        assertEquals("", raw.toEnd());
      }
      assertAlive(port);
    }
  }

  @Test
  void halfRequestsOfClientsThatDieCostNothing() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      String whole = Requests.post(CHAT, Requests.chat(""));
      for (int length = 1; length < whole.length(); length += 7) {
        RawConnection raw = port.connect();
        raw.send(whole.substring(0, length));
        raw.reset();
      }
      assertAlive(port);
    }
  }

  @Test
  void randomBytesAreErrors() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    String whole = Requests.post(CHAT, Requests.chat(",\"stream\":true"));
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      for (int i = 0; i < 200; i++) {
        byte[] bytes = new byte[random.nextInt(400)];
        random.nextBytes(bytes);
        byte[] mutated = whole.getBytes(StandardCharsets.UTF_8);
        for (int j = 0; j < 3; j++) {
          mutated[random.nextInt(mutated.length)] = (byte) random.nextInt(256);
        }
        try (RawConnection raw = port.connect()) {
          raw.send(random.nextBoolean() ? bytes : mutated);
        }
      }
      assertAlive(port);
    } catch (AssertionError e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  @Test
  void clientsThatDieInAStreamCancelIt() throws InterruptedException {
    Semaphore pace = new Semaphore(0);
    ScriptedBackend backend = ScriptedBackend.endless().paced(pace);
    try (HttpPort port = HttpPort.of(backend)) {
      for (boolean stream : List.of(true, false)) {
        for (boolean reset : List.of(true, false)) {
          RawConnection raw = port.connect();
          raw.send(Requests.post(CHAT, Requests.chat(",\"n\":2,\"stream\":" + stream)));
          Await.until(() -> backend.running() == 2);
          if (reset) {
            raw.reset();
          } else {
            raw.close();
          }
          assertTrue(port.desk().awaitIdle(Duration.ofSeconds(20)));
          assertEquals(0, backend.running());
        }
      }
    }
  }

  @Test
  void aClientThatDoesNotReadIsWaitedForAndThenCancelled() throws InterruptedException {
    HttpOptions options =
        HttpOptions.defaults()
            .withTimeouts(
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofMillis(300));
    ScriptedBackend backend = ScriptedBackend.endless().withContext(1 << 24);
    try (HttpPort port = HttpPort.of(backend, options);
        RawConnection raw = port.connect()) {
      raw.send(Requests.post(CHAT, Requests.chat(",\"stream\":true")));
      Await.until(() -> backend.running() > 0);
      assertTrue(port.desk().awaitIdle(Duration.ofSeconds(60)));
      assertTrue(port.metrics().scrape().contains("outcome=\"slow_reader\""));
      assertEquals(200, port.get("/health").statusCode());
    }
  }

  @Test
  void aFullQueueSaysWhenToComeAgain() throws InterruptedException {
    Semaphore pace = new Semaphore(0);
    ScriptedBackend backend = ScriptedBackend.saying("yes").paced(pace);
    DeskLimits limits = new DeskLimits(1, 1, 1000, Duration.ofMillis(2500));
    try (HttpPort port = HttpPort.of(backend, limits)) {
      List<RawConnection> accepted = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        accepted.add(port.connect().send(Requests.post(CHAT, Requests.chat(""))));
      }
      Await.until(() -> port.desk().unfinished() == 2);
      HttpResponse<String> refused = port.post(CHAT, Requests.chat(",\"stream\":true"));
      assertEquals(429, refused.statusCode());
      assertEquals("3", refused.headers().firstValue("retry-after").orElseThrow());
      assertTrue(refused.body().contains("server_overloaded"));
      pace.release(100);
      for (RawConnection each : accepted) {
        assertEquals(200, each.read().status());
        each.close();
      }
      assertTrue(port.desk().awaitIdle(Duration.ofSeconds(20)));
      assertAlive(port);
    }
  }

  @Test
  void connectionsAboveTheLimitAreTold() {
    ConnectionLimit limit = new ConnectionLimit(2);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), limit)) {
      try (RawConnection one = port.connect();
          RawConnection two = port.connect()) {
        assertEquals(200, one.send(Requests.get("/live")).read().status());
        assertEquals(200, two.send(Requests.get("/live")).read().status());
        try (RawConnection three = port.connect()) {
          Reply reply = three.send(Requests.get("/live")).read();
          assertEquals(429, reply.status());
          assertEquals("close", reply.headers().get("connection"));
          assertTrue(reply.headers().containsKey("retry-after"));
          assertEquals("", three.toEnd());
        }
      }
      Await.until(() -> limit.open() == 0);
      assertAlive(port);
    }
  }

  @Test
  void anEndingServerEndsStreamsWithAnError() throws InterruptedException {
    Semaphore pace = new Semaphore(2);
    try (HttpPort port = HttpPort.of(ScriptedBackend.endless().paced(pace));
        RawConnection raw = port.connect()) {
      raw.send(Requests.post(CHAT, Requests.chat(",\"stream\":true")));
      Reply[] reply = new Reply[1];
      Thread reader = Thread.ofVirtual().start(() -> reply[0] = raw.read());
      Await.until(() -> pace.availablePermits() == 0);
      port.desk().close();
      reader.join();
      assertTrue(reply[0].body().contains("server_unavailable"), reply[0].body());
    }
  }
}
