package dev.tandem.server.rpc;

import dev.tandem.protocol.Loops;
import dev.tandem.server.request.Desk;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.Tls;
import dev.tandem.server.transport.ConnectionLimit;
import io.netty.channel.Channel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Optional;

/** The binary protocol's port alone, on loopback. Closing it closes the desk. */
final class RpcServer implements AutoCloseable {

  final Desk desk;
  final ConnectionLimit connections;
  private final Loops loops = new Loops(2, new DefaultThreadFactory("rpc"));
  private final RpcInitializer initializer;
  private final Channel port;

  RpcServer(Desk desk, RpcOptions options) {
    this(desk, options, Authenticator.open());
  }

  RpcServer(Desk desk, RpcOptions options, Authenticator authenticator) {
    this(desk, options, authenticator, Optional.empty(), new ConnectionLimit(1000));
  }

  RpcServer(
      Desk desk,
      RpcOptions options,
      Authenticator authenticator,
      Optional<Tls> tls,
      ConnectionLimit connections) {
    this.desk = desk;
    this.connections = connections;
    initializer =
        new RpcInitializer(desk, options, authenticator, tls, "test/1", connections, channel -> {});
    port =
        loops
            .server(initializer)
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
  }

  InetSocketAddress address() {
    return (InetSocketAddress) port.localAddress();
  }

  int roomForLongRequests() {
    return initializer.roomForLongRequests();
  }

  /** A client that has not said Hello. */
  RawClient connect() {
    return new RawClient(address());
  }

  /** A client that has been welcomed. */
  RawClient greeted() {
    RawClient client = connect();
    client.hello();
    client.expectWelcome();
    return client;
  }

  @Override
  public void close() {
    desk.close();
    loops.close();
  }
}
