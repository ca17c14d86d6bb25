package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.Await;
import dev.tandem.server.http.RawConnection.Reply;
import dev.tandem.server.request.ScriptedBackend;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bodies that are no JSON, or too much. Each has its answer, and the server lives. */
@Timeout(120)
final class RequestBodiesTest {

  private static final String CHAT = "/v1/chat/completions";

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
      port.assertAlive();
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
      port.assertAlive();
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
        raw.send(Requests.head("Content-Length: " + body.length() + "\r\n") + body);
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
      HttpResponse<String> pieces =
          port.post("/tokenize", "{\"with_pieces\":true,\"content\":\"" + text + "\"}");
      assertEquals(400, pieces.statusCode());
      assertTrue(pieces.body().contains("\"param\":\"with_pieces\""), pieces.body());
      assertEquals(
          413, port.post("/tokenize", "{\"content\":\"" + text.repeat(5) + "\"}").statusCode());
      port.assertAlive();
    }
  }

  @Test
  void bodiesOfAllConnectionsHaveALimitTogether() {
    HttpOptions options = HttpOptions.defaults().withBodies(1 << 20, 3 << 20);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), options)) {
      List<RawConnection> many = new ArrayList<>();
      try {
        for (int i = 0; i < 3; i++) { // each but one byte of a megabyte
          many.add(
              port.connect()
                  .send(Requests.head("Content-Length: 1048576\r\n") + " ".repeat(1048575)));
        }
        // Which one finds no room depends on which is read first.
        Await.until(() -> isFull(port, many));
      } finally {
        many.forEach(RawConnection::close);
      }
      // What the others had is free again.
      Await.until(() ->
          port.post("/tokenize", "{\"content\":\"" + "a".repeat(1000) + "\"}").statusCode() == 200);
      port.assertAlive();
    }
  }

  @Test
  void largeAnswersHaveALimitTogetherWithThem() {
    int body = 60_000;
    HttpOptions options = HttpOptions.defaults().withBodies(1 << 20, 500_000);
    String text = "{\"content\":\"" + "a b ".repeat(body / 4) + "\"}";
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), options)) {
      for (int i = 0; i < 10; i++) { // each gives back what it had
        HttpResponse<String> answer = port.post("/tokenize", text);
        assertEquals(200, answer.statusCode());
        assertTrue(answer.body().length() > 100_000, "two of them would not fit");
      }
    }
    HttpOptions less = HttpOptions.defaults().withBodies(1 << 20, 100_000);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), less)) {
      for (int i = 0; i < 10; i++) {
        HttpResponse<String> answer = port.post("/tokenize", text);
        assertEquals(503, answer.statusCode());
        assertTrue(answer.body().contains("server_overloaded"), answer.body());
        assertEquals("1", answer.headers().firstValue("retry-after").orElse(""));
      }
      port.assertAlive();
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
      other.send(Requests.head("Content-Length: 1000\r\n") + " ".repeat(1000));
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
      raw.send(Requests.head("Transfer-Encoding: chunked\r\n"));
      String chunk = "10000\r\n" + "a".repeat(1 << 16) + "\r\n";
      for (int i = 0; i < 65; i++) {
        raw.send(chunk);
      }
      assertEquals(413, raw.read().status());
      port.assertAlive();
    }
  }
}
