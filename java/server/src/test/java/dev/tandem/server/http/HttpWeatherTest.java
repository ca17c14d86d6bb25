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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that are slow, many, or die, and a server that ends. It lives, and says why. */
@Timeout(120)
final class HttpWeatherTest {

  private static final String CHAT = "/v1/chat/completions";

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
          List.of(
              "G",
              "GET /live HTTP/1.1\r\nHost: loc",
              Requests.head("Content-Length: 100\r\n") + "{")) {
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
      port.assertAlive();
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
      port.assertAlive();
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
      port.assertAlive();
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
      port.assertAlive();
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
      port.assertAlive();
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
