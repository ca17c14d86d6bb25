package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A whole answer.
 *
 * @param headers beside those that every answer has
 * @param body "" where there is none
 */
record Answer(HttpResponseStatus status, Map<String, String> headers, byte[] body) {

  private static final String JSON = "application/json";

  static Answer json(HttpResponseStatus status, JsonNode body) {
    return new Answer(status, Map.of("content-type", JSON), Json.bytes(body));
  }

  static Answer json(JsonNode body) {
    return json(HttpResponseStatus.OK, body);
  }

  static Answer empty(HttpResponseStatus status) {
    return new Answer(status, Map.of(), new byte[0]);
  }

  /** What went wrong, in OpenAI's shape. */
  static Answer of(HttpFailure failure) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("content-type", JSON);
    if (failure.retryAfter().isPositive()) {
      long seconds = Math.max(1, failure.retryAfter().plusMillis(999).toSeconds());
      headers.put("retry-after", Long.toString(seconds));
    }
    if (failure.status().code() == HttpResponseStatus.UNAUTHORIZED.code()) {
      headers.put("www-authenticate", "Bearer realm=\"tandem\"");
    }
    return new Answer(failure.status(), headers, Json.bytes(error(failure)));
  }

  /** {@code {"error": {...}}}. */
  static ObjectNode error(HttpFailure failure) {
    ObjectNode body = Json.object();
    body.putObject("error")
        .put("message", failure.getMessage())
        .put("type", failure.type())
        .put("param", failure.parameter().orElse(null))
        .put("code", failure.code());
    return body;
  }

  /** The same with one more header. */
  Answer with(String name, String value) {
    Map<String, String> more = new LinkedHashMap<>(headers);
    more.put(name, value);
    return new Answer(status, more, body);
  }
}
