package dev.tandem.server.http;

import dev.tandem.server.security.AccessRules;
import java.time.Duration;
import java.util.List;

/**
 * What the HTTP port takes, and how.
 *
 * @param access which hosts and origins are served
 * @param bodyBytes of one request
 * @param allBodiesBytes of all requests that are being read or answered
 * @param headerBytes of one request's header fields; its first line may have half of that
 * @param headTimeout from a request's first byte to the end of its header
 * @param bodyTimeout from there to the end of its body
 * @param idleTimeout of a connection between two requests
 * @param slowReaderTimeout for a client that does not read
 * @param heartbeat silence after which a stream of events shows that it lives
 * @param choices texts that one request may ask for (prompts times {@code n})
 * @param strictModel whether a request that names another model is refused
 * @param web whether there is a web page at {@code /}
 */
public record HttpOptions(
    AccessRules access,
    int bodyBytes,
    long allBodiesBytes,
    int headerBytes,
    Duration headTimeout,
    Duration bodyTimeout,
    Duration idleTimeout,
    Duration slowReaderTimeout,
    Duration heartbeat,
    int choices,
    boolean strictModel,
    boolean web) {

  /** For a server on the loopback address that wants no token. */
  public static HttpOptions defaults() {
    return new HttpOptions(
        AccessRules.of(false, false, List.of(), List.of()),
        4 << 20,
        256L << 20,
        16 << 10,
        Duration.ofSeconds(10),
        Duration.ofSeconds(30),
        Duration.ofSeconds(75),
        Duration.ofSeconds(30),
        Duration.ofSeconds(10),
        16,
        false,
        true);
  }

  public HttpOptions withAccess(AccessRules rules) {
    return new HttpOptions(
        rules,
        bodyBytes,
        allBodiesBytes,
        headerBytes,
        headTimeout,
        bodyTimeout,
        idleTimeout,
        slowReaderTimeout,
        heartbeat,
        choices,
        strictModel,
        web);
  }

  /** The most that a body may have, alone and with all others. */
  public HttpOptions withBodies(int one, long all) {
    return new HttpOptions(
        access,
        one,
        all,
        headerBytes,
        headTimeout,
        bodyTimeout,
        idleTimeout,
        slowReaderTimeout,
        heartbeat,
        choices,
        strictModel,
        web);
  }

  /** The time for a header, for a body, between requests, and for a client that does not read. */
  public HttpOptions withTimeouts(Duration head, Duration body, Duration idle, Duration reader) {
    return new HttpOptions(
        access,
        bodyBytes,
        allBodiesBytes,
        headerBytes,
        head,
        body,
        idle,
        reader,
        heartbeat,
        choices,
        strictModel,
        web);
  }

  public HttpOptions withHeartbeat(Duration silence) {
    return new HttpOptions(
        access,
        bodyBytes,
        allBodiesBytes,
        headerBytes,
        headTimeout,
        bodyTimeout,
        idleTimeout,
        slowReaderTimeout,
        silence,
        choices,
        strictModel,
        web);
  }

  /** Whether other models' names are refused, and whether there is a web page. */
  public HttpOptions with(boolean strict, boolean page) {
    return new HttpOptions(
        access,
        bodyBytes,
        allBodiesBytes,
        headerBytes,
        headTimeout,
        bodyTimeout,
        idleTimeout,
        slowReaderTimeout,
        heartbeat,
        choices,
        strict,
        page);
  }
}
