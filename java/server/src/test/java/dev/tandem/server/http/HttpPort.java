package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.Tls;
import dev.tandem.server.transport.ConnectionLimit;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The HTTP port of a server in this process, on the loopback address. */
final class HttpPort implements AutoCloseable {

  static final DeskLimits LIMITS = new DeskLimits(4, 8, 1 << 20, Duration.ofSeconds(2));

  private final Desk desk;
  private final Metrics metrics;
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final Channel listener;
  private final HttpClient client =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

  private HttpPort(
      Optional<Backend> backend,
      DeskLimits limits,
      HttpOptions options,
      Authenticator authenticator,
      Optional<Tls> tls,
      ConnectionLimit connections) {
    metrics = new Metrics(() -> backend.map(Backend::load));
    desk = new Desk(limits, metrics);
    backend.ifPresent(desk::open);
    listener =
        new ServerBootstrap()
            .group(loops)
            .channel(NioServerSocketChannel.class)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new HttpInitializer(desk, options, authenticator, tls, metrics, connections))
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
  }

  static HttpPort of(Backend backend) {
    return of(backend, HttpOptions.defaults());
  }

  static HttpPort of(Backend backend, HttpOptions options) {
    return new HttpPort(
        Optional.of(backend),
        LIMITS,
        options,
        Authenticator.open(),
        Optional.empty(),
        new ConnectionLimit(1000));
  }

  static HttpPort of(Backend backend, DeskLimits limits) {
    return new HttpPort(
        Optional.of(backend),
        limits,
        HttpOptions.defaults(),
        Authenticator.open(),
        Optional.empty(),
        new ConnectionLimit(1000));
  }

  static HttpPort of(Backend backend, HttpOptions options, Authenticator authenticator) {
    return new HttpPort(
        Optional.of(backend),
        LIMITS,
        options,
        authenticator,
        Optional.empty(),
        new ConnectionLimit(1000));
  }

  static HttpPort of(Backend backend, Tls tls) {
    return new HttpPort(
        Optional.of(backend),
        LIMITS,
        HttpOptions.defaults(),
        Authenticator.open(),
        Optional.of(tls),
        new ConnectionLimit(1000));
  }

  /** One that takes so many connections. */
  static HttpPort of(Backend backend, ConnectionLimit connections) {
    return new HttpPort(
        Optional.of(backend),
        LIMITS,
        HttpOptions.defaults(),
        Authenticator.open(),
        Optional.empty(),
        connections);
  }

  /** One whose model is still being loaded. */
  static HttpPort loading() {
    return new HttpPort(
        Optional.empty(),
        LIMITS,
        HttpOptions.defaults(),
        Authenticator.open(),
        Optional.empty(),
        new ConnectionLimit(1000));
  }

  Desk desk() {
    return desk;
  }

  Metrics metrics() {
    return metrics;
  }

  int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  URI uri(String path) {
    return URI.create("http://localhost:" + port() + path);
  }

  HttpResponse<String> get(String path) {
    return send(HttpRequest.newBuilder(uri(path)));
  }

  HttpResponse<String> post(String path, String json) {
    return send(
        HttpRequest.newBuilder(uri(path))
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json)));
  }

  HttpResponse<String> send(HttpRequest.Builder request) {
    try {
      return client.send(
          request.timeout(Duration.ofSeconds(20)).build(), HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A connection for bytes of all kinds. */
  RawConnection connect() {
    return new RawConnection(port());
  }

  @Override
  public void close() {
    client.close();
    desk.close();
    listener.close().awaitUninterruptibly();
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
    metrics.close();
  }
}
