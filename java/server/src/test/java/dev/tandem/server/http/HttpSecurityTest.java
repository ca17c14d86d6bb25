package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.tandem.server.http.RawConnection.Reply;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.security.AccessRules;
import dev.tandem.server.security.Authenticator;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** Who is served, and what is told to whom. */
@Timeout(60)
final class HttpSecurityTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final String TOKEN = "sk-canary-token-1234567890";
  private static final String CANARY = "CANARY8472";

  /** Knows one token. */
  private static final Authenticator ONE =
      new Authenticator() {
        @Override
        public boolean needsToken() {
          return true;
        }

        @Override
        public Optional<Caller> caller(String token) {
          return Optional.of(token)
              .filter(TOKEN::equals)
              .map(known -> new Caller("tenant-a", "", 0));
        }
      };

  private static HttpPort withToken() {
    HttpOptions options =
        HttpOptions.defaults().withAccess(AccessRules.of(true, false, List.of(), List.of()));
    return HttpPort.of(ScriptedBackend.saying("yes"), options, ONE);
  }

  private static Reply ask(HttpPort port, String request) {
    try (RawConnection raw = port.connect()) {
      return raw.send(request).read();
    }
  }

  private static String get(String path, String fields) {
    return "GET " + path + " HTTP/1.1\r\n" + fields + "\r\n\r\n";
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:80", "[::1]", "[::1]:1"})
  void ownHostsAreServed(String host) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      assertEquals(200, ask(port, get("/v1/models", "Host: " + host)).status());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "evil.example", "localhost.evil.example", "localhost@evil.example",
            "127.0.0.1.evil.example",
        "", "10.0.0.1", "localhost:80:80", "localhost:x"
      })
  void otherHostsAreNot(String host) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      assertEquals(403, ask(port, get("/v1/models", "Host: " + host)).status());
    }
  }

  @Test
  void theHostOfTheTargetCounts() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      String asked = "GET http://%s/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
      assertEquals(403, ask(port, asked.formatted("evil.example")).status());
      assertEquals(200, ask(port, asked.formatted("127.0.0.1:1234")).status());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "http://localhost:8080, 200",
    "http://localhost:8081, 403",
    "http://evil.example, 403",
    "https://localhost.evil.example, 403",
    "null, 403",
    "file://, 403"
  })
  void pagesElsewhereAreRefused(String origin, int status) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      Reply reply = ask(port, get("/v1/models", "Host: localhost:8080\r\nOrigin: " + origin));
      assertEquals(status, reply.status());
      assertFalse(reply.headers().containsKey("access-control-allow-origin"));
    }
  }

  @Test
  void pagesThatAreNamedMayAsk() {
    HttpOptions options =
        HttpOptions.defaults()
            .withAccess(AccessRules.of(false, false, List.of(), List.of("https://chat.example")));
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), options)) {
      String fields = "Host: localhost\r\nOrigin: https://chat.example";
      Reply asked = ask(port, get("/v1/models", fields));
      assertEquals(200, asked.status());
      assertEquals("https://chat.example", asked.headers().get("access-control-allow-origin"));
      assertTrue(asked.headers().get("vary").equalsIgnoreCase("origin"));
      Reply preflight =
          ask(
              port,
              get(CHAT, fields + "\r\nAccess-Control-Request-Method: POST")
                  .replace("GET", "OPTIONS"));
      assertEquals(204, preflight.status());
      assertEquals("https://chat.example", preflight.headers().get("access-control-allow-origin"));
      assertTrue(preflight.headers().get("access-control-allow-methods").contains("POST"));
      assertTrue(preflight.headers().get("access-control-allow-headers").contains("authorization"));
      assertEquals(403, ask(port, get("/v1/models", fields.replace("chat", "other"))).status());
    }
  }

  @Test
  void whatAFormCanSendIsRefused() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      for (String type :
          List.of("text/plain", "application/x-www-form-urlencoded", "a; application/json")) {
        String request = Requests.post(CHAT, Requests.chat("")).replace("application/json", type);
        assertEquals(415, ask(port, request).status(), type);
      }
    }
  }

  @Test
  void aTokenIsNeededWhereThereAreTokens() {
    try (HttpPort port = withToken()) {
      for (String path : List.of("/v1/models", "/metrics", "/nope", CHAT)) {
        Reply reply = ask(port, get(path, "Host: anything.example"));
        assertEquals(401, reply.status(), path);
        assertTrue(reply.headers().get("www-authenticate").startsWith("Bearer"));
        assertTrue(reply.body().contains("invalid_api_key"));
      }
      for (String path : List.of("/live", "/health", "/", "/assets/app.js")) {
        assertEquals(200, ask(port, get(path, "Host: anything.example")).status(), path);
      }
      for (String wrong :
          List.of("Bearer x", "Bearer", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN + "x")) {
        Reply reply = ask(port, get("/v1/models", "Host: a\r\nAuthorization: " + wrong));
        assertEquals(401, reply.status(), wrong);
        assertFalse(reply.body().contains(TOKEN));
      }
      for (String right : List.of("Bearer " + TOKEN, "bearer  " + TOKEN + " ")) {
        assertEquals(
            200, ask(port, get("/v1/models", "Host: a\r\nAuthorization: " + right)).status());
        assertEquals(
            200, ask(port, get("/metrics", "Host: a\r\nAuthorization: " + right)).status());
      }
      // Refused before its body is read.
      Reply early =
          ask(
              port,
              "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  + "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n");
      assertEquals(401, early.status());
      assertEquals("close", early.headers().get("connection"));
    }
  }

  /** Nothing that a client sent, and no token, is in logs, errors or metrics. */
  @Test
  void textsAndTokensAreToldToNobody() {
    Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    Logger ours = (Logger) LoggerFactory.getLogger("dev.tandem");
    ListAppender<ILoggingEvent> log = new ListAppender<>();
    Level before = ours.getLevel();
    log.start();
    root.addAppender(log);
    ours.setLevel(Level.TRACE);
    StringBuilder told = new StringBuilder();
    try (HttpPort port = withToken()) {
      String fields = "Host: a\r\nAuthorization: Bearer " + TOKEN;
      List<String> bodies =
          List.of(
              "{\"messages\":[{\"role\":\"user\",\"content\":\"" + CANARY + "\"}]}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"" + CANARY,
              "{\"messages\":[{\"role\":\"" + CANARY + "\",\"content\":\"a\"}]}",
              "{\"messages\":\"" + CANARY + "\"}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"temperature\":\""
                  + CANARY
                  + "\"}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stop\":[\""
                  + CANARY
                  + "\",\"\"]}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"logit_bias\":{\""
                  + CANARY
                  + "\":1}}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":\"" + CANARY + "\"}",
              "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"model\":\"" + CANARY + "\"}",
              CANARY,
              "\"" + CANARY + "\"");
      for (String body : bodies) {
        String request = Requests.post(CHAT, body).replace("Host: localhost", fields);
        told.append(ask(port, request));
        told.append(
            ask(port, request.replace(CHAT, "/tokenize?" + CANARY))
                .toString()
                .replaceAll("\"tokens\".*", ""));
      }
      told.append(ask(port, get("/" + CANARY, fields)));
      told.append(ask(port, get("/v1/models/" + CANARY, fields)));
      told.append(
          ask(port, get("/v1/models", "Host: " + CANARY + "\r\nAuthorization: Bearer " + CANARY)));
      told.append(ask(port, CANARY + "\r\n\r\n"));
      told.append(ask(port, get("/metrics", fields)).body());
      assertTrue(told.toString().contains("tenant=\"tenant-a\""));
    } finally {
      ours.setLevel(before);
      root.detachAppender(log);
    }
    for (ILoggingEvent event : log.list) {
      if (event.getLoggerName().startsWith("dev.tandem")) {
        told.append(event.getFormattedMessage()).append(event.getMDCPropertyMap());
        if (event.getThrowableProxy() != null) {
          told.append(event.getThrowableProxy().getMessage());
        }
      }
    }
    assertFalse(told.toString().contains(CANARY), told.toString());
    assertFalse(told.toString().contains(TOKEN), told.toString());
  }
}
