package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.protocol.Loops;
import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.Tls;
import dev.tandem.server.transport.ConnectionLimit;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.util.concurrent.DefaultThreadFactory;
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

/** The HTTP port of a server in this process, on the loopback address. */
final class HttpPort implements AutoCloseable {

  static final DeskLimits LIMITS = new DeskLimits(4, 8, 1 << 20, Duration.ofSeconds(2));

  private final Desk desk;
  private final Metrics metrics;
  private final Loops loops = new Loops(1, new DefaultThreadFactory("http"));
  private final Channel listener;
  private final HttpClient client =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

  /** What a port is made of; the usual where a test says nothing. */
  private static final class Setup {
    private final Optional<Backend> backend;
    private DeskLimits limits = LIMITS;
    private HttpOptions options = HttpOptions.defaults();
    private Authenticator authenticator = Authenticator.open();
    private Optional<Tls> tls = Optional.empty();
    private ConnectionLimit connections = new ConnectionLimit(1000);

    Setup(Backend backend) {
      this.backend = Optional.of(backend);
    }

    /** Without a model. */
    Setup() {
      this.backend = Optional.empty();
    }
  }

  private HttpPort(Setup setup) {
    metrics = new Metrics(() -> setup.backend.map(Backend::load));
    desk = new Desk(setup.limits, metrics);
    setup.backend.ifPresent(desk::open);
    listener =
        loops
            .server(
                new HttpInitializer(
                    desk,
                    setup.options,
                    setup.authenticator,
                    setup.tls,
                    metrics,
                    setup.connections))
            .childOption(ChannelOption.TCP_NODELAY, true)
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
  }

  static HttpPort of(Backend backend) {
    return new HttpPort(new Setup(backend));
  }

  static HttpPort of(Backend backend, HttpOptions options) {
    return of(backend, options, Authenticator.open());
  }

  static HttpPort of(Backend backend, HttpOptions options, Authenticator authenticator) {
    Setup setup = new Setup(backend);
    setup.options = options;
    setup.authenticator = authenticator;
    return new HttpPort(setup);
  }

  static HttpPort of(Backend backend, DeskLimits limits) {
    Setup setup = new Setup(backend);
    setup.limits = limits;
    return new HttpPort(setup);
  }

  static HttpPort of(Backend backend, Tls tls) {
    Setup setup = new Setup(backend);
    setup.tls = Optional.of(tls);
    return new HttpPort(setup);
  }

  /** One that takes so many connections. */
  static HttpPort of(Backend backend, ConnectionLimit connections) {
    Setup setup = new Setup(backend);
    setup.connections = connections;
    return new HttpPort(setup);
  }

  /** One whose model is still being loaded. */
  static HttpPort loading() {
    return new HttpPort(new Setup());
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

  /** It still does what it is there for. */
  void assertAlive() {
    assertEquals(200, get("/health").statusCode());
    assertEquals(200, post("/v1/chat/completions", Requests.chat("")).statusCode());
  }

  @Override
  public void close() {
    client.close();
    desk.close();
    loops.close();
    metrics.close();
  }
}
