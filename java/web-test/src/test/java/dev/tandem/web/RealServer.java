package dev.tandem.web;

import dev.tandem.server.ModelLoader;
import dev.tandem.server.StartListener;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.http.HttpInitializer;
import dev.tandem.server.http.HttpOptions;
import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.security.Authenticator;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The server's HTTP port with the built-in model behind it, which is loaded when told to. */
final class RealServer implements AutoCloseable {

  private static final Path MODEL =
      Path.of("..", "cli", "src", "main", "dist", "models", "stories.gguf");

  private final Desk desk;
  private final Metrics metrics;
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final Channel listener;

  /**
   * @param token that requests need; "" = none
   */
  RealServer(String token) {
    metrics = new Metrics(() -> backend().map(Backend::load));
    desk = new Desk(new DeskLimits(2, 4, 1 << 20, Duration.ofSeconds(1)), metrics);
    listener =
        new ServerBootstrap()
            .group(loops)
            .channel(NioServerSocketChannel.class)
            .childHandler(
                new HttpInitializer(
                    desk,
                    HttpOptions.defaults(),
                    token.isEmpty() ? Authenticator.open() : new OneToken(token),
                    Optional.empty(),
                    metrics))
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
  }

  private Optional<Backend> backend() {
    return desk.backend();
  }

  RealServer load() {
    ServerOptions options =
        ServerOptions.of(
            Configuration.of(Optional.empty(), Map.of(), Map.of("threads", "1", "parallel", "2")));
    desk.open(new ModelLoader(MODEL, options, "").load(new StartListener() {}));
    return this;
  }

  Desk desk() {
    return desk;
  }

  String url() {
    return "http://127.0.0.1:" + ((InetSocketAddress) listener.localAddress()).getPort() + "/";
  }

  @Override
  public void close() {
    Optional<Backend> loaded = desk.backend();
    desk.close();
    listener.close().awaitUninterruptibly();
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
    loaded.ifPresent(Backend::close);
    metrics.close();
  }

  private record OneToken(String token) implements Authenticator {
    @Override
    public boolean needsToken() {
      return true;
    }

    @Override
    public Optional<Caller> caller(String given) {
      return given.equals(token) ? Optional.of(Caller.ANYBODY) : Optional.empty();
    }
  }
}
