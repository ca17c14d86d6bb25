package dev.tandem.server;

import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.http.HttpOptions;
import dev.tandem.server.rpc.RpcOptions;
import dev.tandem.server.security.AccessRules;
import java.time.Duration;

/** What each protocol has to know of a server's options. */
final class PortOptions {

  // A body takes longer to send than a header.
  private static final int BODY_PATIENCE = 3;

  // Of one byte of text, an answer tells an id of a few digits: even the largest body can be
  // served.
  private static final long BODY_AND_ANSWER = 10;

  private PortOptions() {}

  static RpcOptions rpc(ServerOptions options) {
    ServerOptions.Network network = options.network();
    return RpcOptions.defaults()
        .withMaxFrameBytes(options.limits().frameBytes())
        .withRequestsPerConnection(options.limits().requestsPerConnection())
        .withTimeouts(
            network.handshakeTimeout(), network.idleTimeout(), network.slowReaderTimeout());
  }

  static HttpOptions http(ServerOptions options, AccessRules rules) {
    ServerOptions.Network network = options.network();
    Duration head = network.handshakeTimeout();
    HttpOptions defaults = HttpOptions.defaults();
    int body = options.limits().frameBytes();
    return defaults
        .withAccess(rules)
        .withBodies(body, Math.max(BODY_AND_ANSWER * body, defaults.sizes().allBodies()))
        .withTimeouts(
            head,
            head.multipliedBy(BODY_PATIENCE),
            network.idleTimeout(),
            network.slowReaderTimeout())
        .with(options.http().strictModel(), options.http().web());
  }
}
