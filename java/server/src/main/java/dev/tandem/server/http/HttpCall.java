package dev.tandem.server.http;

import dev.tandem.server.request.Caller;
import io.netty.handler.codec.http.HttpMethod;
import java.util.Optional;

/**
 * A request that has been read and let in.
 *
 * @param exchange where its answer goes
 * @param target what it asks for
 * @param ifNoneMatch of its header
 * @param body all of it
 */
record HttpCall(
    Exchange exchange,
    HttpMethod method,
    RequestTarget target,
    Caller caller,
    Optional<String> ifNoneMatch,
    byte[] body) {

  /** Names the request in logs and answers. */
  String id() {
    return exchange.id();
  }

  String path() {
    return target.path();
  }

  /** The body, which must be a JSON object. */
  Fields json() {
    return Json.read(body);
  }
}
