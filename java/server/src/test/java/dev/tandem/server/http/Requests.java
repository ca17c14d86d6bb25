package dev.tandem.server.http;

import java.nio.charset.StandardCharsets;

/** Requests as they look on the wire. */
final class Requests {

  private Requests() {}

  static String get(String path) {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }

  static String post(String path, String json) {
    return "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        .formatted(path, json.getBytes(StandardCharsets.UTF_8).length, json);
  }

  /** The header of a POST to /tokenize, with more fields. */
  static String head(String more) {
    return "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + more
        + "\r\n";
  }

  /** A chat with one message. */
  static String chat(String more) {
    return "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" + more + "}";
  }
}
