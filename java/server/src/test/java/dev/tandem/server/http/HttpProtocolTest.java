package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.Await;
import dev.tandem.server.http.RawConnection.Reply;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.security.PemTls;
import dev.tandem.server.security.TestCertificate;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** HTTP/1.1 itself, with clients that do what they may. */
@Timeout(60)
final class HttpProtocolTest {

  private static final String CHAT = "/v1/chat/completions";

  @Test
  void pipelinedRequestsAreAnsweredInOrder() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two"));
        RawConnection raw = port.connect()) {
      raw.send(
          Requests.get("/live")
              + Requests.post(CHAT, Requests.chat(",\"stream\":true"))
              + Requests.post("/tokenize", "{\"content\":\"a\"}")
              + Requests.get("/nope")
              + Requests.get("/health"));
      assertEquals("{\"status\":\"live\"}", raw.read().body());
      Reply stream = raw.read();
      assertEquals("text/event-stream; charset=utf-8", stream.headers().get("content-type"));
      assertTrue(stream.body().endsWith("data: [DONE]\n\n"));
      assertTrue(raw.read().body().startsWith("{\"tokens\""));
      assertEquals(404, raw.read().status());
      assertEquals("{\"status\":\"ok\"}", raw.read().body());
    }
  }

  @Test
  void aLotOfPipelinedRequestsWaitInTheClientsBuffers() throws InterruptedException {
    Semaphore pace = new Semaphore(0);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two").paced(pace));
        RawConnection raw = port.connect()) {
      int many = 2000;
      String body = "{\"content\":\"" + "a".repeat(1000) + "\"}";
      Thread sender =
          Thread.ofVirtual()
              .start(() -> {
                raw.send(Requests.post(CHAT, Requests.chat("")));
                for (int i = 0; i < many; i++) {
                  raw.send(Requests.post("/tokenize", body));
                }
              });
      pace.release(1000);
      assertEquals(200, raw.read().status());
      for (int i = 0; i < many; i++) {
        assertEquals(200, raw.read().status());
      }
      sender.join();
    }
  }

  @Test
  void requestsMayComeByteForByteAndInChunks() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      for (char c : Requests.post("/tokenize", "{\"content\":\"abc\"}").toCharArray()) {
        raw.send(String.valueOf(c));
      }
      assertEquals(200, raw.read().status());
      raw.send(
          "POST /tokenize HTTP/1.1\r\n"
              + "Host: localhost\r\n"
              + "Content-Type: application/json; charset=utf-8\r\n"
              + "Transfer-Encoding: chunked\r\n\r\n"
              + "3\r\n"
              + "{\"c\r\n"
              + "10;x=y\r\n"
              + "ontent\":\"abcdef\"\r\n"
              + "1\r\n"
              + "}\r\n"
              + "0\r\n"
              + "X-Trailer: a\r\n\r\n");
      assertEquals(200, raw.read().status());
    }
  }

  @Test
  void aClientMayWaitToBeToldToGoOn() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      String head =
          "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              + "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n";
      raw.send(head.formatted(15));
      assertEquals(100, raw.read().status());
      raw.send("{\"content\":\"a\"}");
      assertEquals(200, raw.read().status());
      raw.send(head.formatted(1 << 30));
      Reply refused = raw.read();
      assertEquals(413, refused.status());
      assertEquals("close", refused.headers().get("connection"));
    }
  }

  @Test
  void anOfferOfHttp2IsIgnored() throws Exception {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build()) {
      HttpResponse<String> response =
          client.send(
              HttpRequest.newBuilder(port.uri(CHAT))
                  .timeout(Duration.ofSeconds(20))
                  .header("content-type", "application/json")
                  .POST(HttpRequest.BodyPublishers.ofString(Requests.chat("")))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      assertEquals(200, response.statusCode());
      assertEquals(HttpClient.Version.HTTP_1_1, response.version());
      try (RawConnection raw = port.connect()) {
        raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assertTrue(List.of(400, 505).contains(raw.read().status()));
        raw.toEnd();
      }
    }
  }

  @Test
  void headAndOptionsAndWrongMethods() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(Requests.get("/health").replace("GET", "HEAD"));
      assertEquals("HTTP/1.1 200 OK", raw.line());
      boolean hasLength = false;
      for (String line = raw.line(); !line.isEmpty(); line = raw.line()) {
        hasLength |= line.equals("content-length: 15");
      }
      assertTrue(hasLength);
      raw.send("OPTIONS " + CHAT + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      Reply options = raw.read(); // so nothing came behind HEAD's header
      assertEquals(204, options.status());
      assertEquals("POST, OPTIONS", options.headers().get("allow"));
      raw.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals(204, raw.read().status());
      raw.send(Requests.get(CHAT));
      Reply wrong = raw.read();
      assertEquals(405, wrong.status());
      assertEquals("POST, OPTIONS", wrong.headers().get("allow"));
      raw.send("DELETE /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals(405, raw.read().status());
      raw.send("BREW /coffee HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals(404, raw.read().status());
      raw.send("GET http://localhost:1/live?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals(200, raw.read().status());
      raw.send(Requests.get("/v1/models/scripted%20"));
      assertEquals(404, raw.read().status());
      raw.send(Requests.get("/v1/models/scripte%64?x=1"));
      assertEquals(200, raw.read().status());
    }
  }

  @Test
  void connectionsStayOpenAsTheClientWants() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      try (RawConnection raw = port.connect()) {
        raw.send("GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assertEquals("close", raw.read().headers().get("connection"));
        assertEquals("", raw.toEnd());
      }
      try (RawConnection raw = port.connect()) {
        raw.send("GET /live HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
        assertEquals("keep-alive", raw.read().headers().get("connection"));
        raw.send("GET /live HTTP/1.0\r\nHost: localhost\r\n\r\n");
        assertEquals("close", raw.read().headers().get("connection"));
        assertEquals("", raw.toEnd());
      }
      try (RawConnection raw = port.connect()) { // which knows no chunks
        raw.send(Requests.post(CHAT, Requests.chat(",\"stream\":true")).replace("/1.1", "/1.0"));
        Reply stream = raw.read();
        assertFalse(stream.headers().containsKey("transfer-encoding"));
        assertTrue(stream.body().endsWith("data: [DONE]\n\n"));
      }
    }
  }

  @Test
  void everyAnswerHasTheRequestsName() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      String named = "GET /live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\n\r\n";
      raw.send(named.formatted("abc-1.2_3"));
      assertEquals("abc-1.2_3", raw.read().headers().get("x-request-id"));
      for (String strange : List.of("a b", "a\"b", "x".repeat(65), "é", "")) {
        raw.send(named.formatted(strange));
        String id = raw.read().headers().get("x-request-id");
        assertTrue(id.matches("req-[0-9a-f]{16}"), id);
        assertNotEquals(strange, id);
      }
      raw.send(
          Requests.post(CHAT, Requests.chat("")).replace("Host:", "X-Request-Id: mine\r\nHost:"));
      Reply chat = raw.read();
      assertEquals("mine", chat.headers().get("x-request-id"));
      assertTrue(chat.body().contains("\"id\":\"chatcmpl-mine\""));
    }
  }

  @Test
  void untilTheModelIsThereEverythingButLiveSaysSo() {
    try (HttpPort port = HttpPort.loading()) {
      assertEquals(200, port.get("/live").statusCode());
      for (String path : List.of("/health", "/v1/models", "/metrics", "/nope", "/")) {
        HttpResponse<String> response = port.get(path);
        assertEquals(503, response.statusCode(), path);
        assertEquals("2", response.headers().firstValue("retry-after").orElseThrow(), path);
      }
      HttpResponse<String> chat = port.post(CHAT, Requests.chat(""));
      assertEquals(503, chat.statusCode());
      assertTrue(chat.body().contains("model_loading"));
      assertTrue(port.get("/health").body().contains("\"status\":\"loading\""));
      port.desk().open(ScriptedBackend.saying("yes"));
      assertEquals(200, port.get("/health").statusCode());
      assertEquals(200, port.post(CHAT, Requests.chat("")).statusCode());
    }
  }

  @Test
  void aServerThatEndsRefusesWithAHintAndFinishesWhatRuns() throws InterruptedException {
    Semaphore pace = new Semaphore(1);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two").paced(pace));
        RawConnection running = port.connect();
        RawConnection other = port.connect()) {
      running.send(Requests.post(CHAT, Requests.chat(",\"stream\":true")));
      Await.until(() -> running.line().contains("content\":\" \""));
      port.desk().drain();
      other.send(Requests.post(CHAT, Requests.chat("")));
      Reply refused = other.read();
      assertEquals(503, refused.status());
      assertEquals("2", refused.headers().get("retry-after"));
      assertEquals("close", refused.headers().get("connection"));
      assertEquals(503, port.get("/health").statusCode());
      assertEquals(200, port.get("/live").statusCode());
      assertEquals(200, port.get("/v1/models").statusCode());
      pace.release(100);
      Await.until(() -> running.line().equals("data: [DONE]"));
      assertTrue(port.desk().awaitIdle(Duration.ofSeconds(20)));
    }
  }

  @Test
  void aFailedModelIsTold() {
    try (HttpPort port = HttpPort.loading()) {
      port.desk().fail("the model cannot be loaded");
      assertEquals(503, port.get("/health").statusCode());
      assertEquals(500, port.post(CHAT, Requests.chat("")).statusCode());
      assertEquals(200, port.get("/live").statusCode());
      assertEquals(500, port.get("/v1/models").statusCode());
    }
  }

  @Test
  void anErrorOfTheServerIsAnAnswer() {
    Backend broken =
        (Backend)
            Proxy.newProxyInstance(
                Backend.class.getClassLoader(),
                new Class<?>[] {Backend.class},
                (self, method, arguments) -> {
                  throw new OutOfMemoryError("made up");
                });
    try (HttpPort port = HttpPort.of(broken)) {
      for (String path : List.of("/tokenize", CHAT)) {
        HttpResponse<String> response = port.post(path, Requests.chat(",\"content\":\"a\""));
        assertEquals(500, response.statusCode());
        assertTrue(response.body().contains("internal_error"), response.body());
        assertFalse(response.body().contains("made up"), response.body());
      }
      assertEquals(200, port.get("/live").statusCode());
    }
  }

  @Test
  void silenceIsFilledWithComments() {
    Semaphore pace = new Semaphore(0);
    HttpOptions options = HttpOptions.defaults().withHeartbeat(Duration.ofMillis(20));
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one").paced(pace), options);
        RawConnection raw = port.connect()) {
      raw.send(Requests.post(CHAT, Requests.chat(",\"stream\":true")));
      for (int comments = 0; comments < 3; ) {
        comments += raw.line().equals(":") ? 1 : 0;
      }
      pace.release(100);
      Await.until(() -> raw.line().equals("data: [DONE]"));
    }
  }

  @Test
  void allOfItGoesThroughTls(@TempDir Path folder) throws Exception {
    TestCertificate made = TestCertificate.make(folder, "localhost", "EC", 2);
    Path certificate = Files.createTempFile(folder, "certificate", ".pem");
    Path key = Files.createTempFile(folder, "key", ".pem");
    Files.writeString(certificate, made.certificatePem());
    Files.writeString(key, made.keyPem());
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    trusted.setCertificateEntry("a", made.certificate());
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    PemTls tls = new PemTls(certificate, key, Duration.ofSeconds(5));
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two"), tls);
        HttpClient client = HttpClient.newBuilder().sslContext(context).build()) {
      for (String stream : List.of("false", "true")) {
        HttpResponse<String> response =
            client.send(
                HttpRequest.newBuilder(URI.create("https://localhost:" + port.port() + CHAT))
                    .timeout(Duration.ofSeconds(20))
                    .header("content-type", "application/json")
                    .POST(
                        HttpRequest.BodyPublishers.ofString(Requests.chat(",\"stream\":" + stream)))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        assertEquals(200, response.statusCode());
        assertEquals(HttpClient.Version.HTTP_1_1, response.version());
        assertTrue(response.body().contains("two") || response.body().contains("[DONE]"));
      }
      try (RawConnection plain = port.connect()) { // who speaks no TLS is heard no further
        plain.send(Requests.get("/live"));
        assertFalse(plain.toEnd().contains("200 OK"));
      }
    }
  }
}
