package dev.tandem.server.http;

import dev.tandem.server.security.AccessRules;
import java.time.Duration;
import java.util.List;

/**
 * What the HTTP port takes, and how.
 *
 * @param access which hosts and origins are served
 * @param sizes what a request may have
 * @param times what clients have time for
 * @param choices texts that one request may ask for (prompts times {@code n})
 * @param strictModel whether a request that names another model is refused
 * @param web whether there is a web page at {@code /}
 */
public record HttpOptions(
    AccessRules access, Sizes sizes, Times times, int choices, boolean strictModel, boolean web) {

  /**
   * Bytes.
   *
   * @param body of one request
   * @param allBodies of all requests that are being read or answered, and of large answers until
   *     clients have read them
   * @param header of one request's fields; its first line may have half of that
   */
  public record Sizes(int body, long allBodies, int header) {}

  /**
   * Times after which something is done.
   *
   * @param head from a request's first byte to the end of its header
   * @param body from there to the end of its body
   * @param idle of a connection between two requests
   * @param slowReader for a client that does not read
   * @param heartbeat silence after which a stream of events shows that it lives
   */
  public record Times(
      Duration head, Duration body, Duration idle, Duration slowReader, Duration heartbeat) {}

  /** For a server on the loopback address that wants no token. */
  public static HttpOptions defaults() {
    return new HttpOptions(
        AccessRules.of(false, false, List.of(), List.of()),
        new Sizes(4 << 20, 256L << 20, 16 << 10),
        new Times(
            Duration.ofSeconds(10),
            Duration.ofSeconds(30),
            Duration.ofSeconds(75),
            Duration.ofSeconds(30),
            Duration.ofSeconds(10)),
        16,
        false,
        true);
  }

  public HttpOptions withAccess(AccessRules rules) {
    return new HttpOptions(rules, sizes, times, choices, strictModel, web);
  }

  /** The most that a body may have, alone and with all others. */
  public HttpOptions withBodies(int one, long all) {
    return new HttpOptions(
        access, new Sizes(one, all, sizes.header()), times, choices, strictModel, web);
  }

  /** The time for a header, for a body, between requests, and for a client that does not read. */
  public HttpOptions withTimeouts(Duration head, Duration body, Duration idle, Duration reader) {
    return with(new Times(head, body, idle, reader, times.heartbeat()));
  }

  public HttpOptions withHeartbeat(Duration silence) {
    return with(new Times(times.head(), times.body(), times.idle(), times.slowReader(), silence));
  }

  private HttpOptions with(Times changed) {
    return new HttpOptions(access, sizes, changed, choices, strictModel, web);
  }

  /** Whether other models' names are refused, and whether there is a web page. */
  public HttpOptions with(boolean strict, boolean page) {
    return new HttpOptions(access, sizes, times, choices, strict, page);
  }
}
