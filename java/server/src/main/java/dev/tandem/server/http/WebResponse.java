package dev.tandem.server.http;

import java.nio.ByteBuffer;
import java.util.Map;

/**
 * What to answer to a request for a file of the web page.
 *
 * @param status 200, or 304 where the browser has it already
 * @param headers by name; {@code Content-Length} and {@code Date} are the caller's to add
 * @param body read-only, from its position to its limit; empty with 304. A HEAD request is answered
 *     with its length and without its bytes
 */
public record WebResponse(int status, Map<String, String> headers, ByteBuffer body) {

  public WebResponse {
    headers = Map.copyOf(headers);
    body = body.asReadOnlyBuffer();
  }
}
