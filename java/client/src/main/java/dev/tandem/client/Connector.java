package dev.tandem.client;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.Loops;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;

/** Makes connections, each ready for requests. */
final class Connector {

  /** The most bytes of one read: when a consumer stops reading, so much may still be on its way. */
  private static final int MOST_READ_BYTES = 16 << 10;

  /** Of the time after which the server ends an idle connection, after which this side does. */
  private static final double IDLE_PART = 0.75;

  private final Loops loops;
  private final EventLoop loop;
  private final ClientOptions options;
  private final Optional<SslContext> tls;

  Connector(Loops loops, ClientOptions options) {
    this.loops = loops;
    this.loop = loops.group().next();
    this.options = options;
    this.tls = options.tls().map(Connector::context);
  }

  private static SslContext context(ClientTls tls) {
    SslContextBuilder builder = SslContextBuilder.forClient().sslProvider(SslProvider.JDK);
    try {
      tls.authorities().ifPresent(file -> builder.trustManager(file.toFile()));
      return builder.endpointIdentificationAlgorithm("HTTPS").build();
    } catch (SSLException | IllegalArgumentException e) {
      throw TandemException.lasting(
              ErrorCode.INVALID_ARGUMENT,
              "%s: no certificates to trust: %s"
                  .formatted(
                      tls.authorities().map(Object::toString).orElse("the JDK"), e.getMessage()))
          .because(e);
    }
  }

  /**
   * Tries once.
   *
   * @param changed see {@link Connection}
   */
  Future<Connection> connect(Consumer<Connection> changed) {
    Promise<Connection> ready = loop.newPromise();
    Promise<Welcome> greeted = loop.newPromise();
    int millis = (int) Math.min(Integer.MAX_VALUE, options.connectTimeout().toMillis());
    Channel channel =
        loops
            .client(pipeline(greeted))
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, millis)
            .option(ChannelOption.TCP_NODELAY, true)
            .option(
                ChannelOption.RECVBUF_ALLOCATOR,
                new AdaptiveRecvByteBufAllocator(64, 4 << 10, MOST_READ_BYTES))
            .connect(options.host(), options.port())
            .addListener(connected -> {
              if (!connected.isSuccess()) {
                greeted.tryFailure(refused(connected.cause()));
              }
            })
            .channel();
    Future<?> timer =
        loop.schedule(() -> greeted.tryFailure(silent()), millis, TimeUnit.MILLISECONDS);
    greeted.addListener((Future<Welcome> welcome) -> {
      timer.cancel(false);
      if (welcome.isSuccess()) {
        ready.setSuccess(take(channel, welcome.getNow(), changed));
      } else {
        channel.close();
        ready.setFailure(welcome.cause());
      }
    });
    return ready;
  }

  private ChannelInitializer<SocketChannel> pipeline(Promise<Welcome> greeted) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(SocketChannel channel) {
        tls.ifPresent(context -> {
          SslHandler handler = context.newHandler(channel.alloc(), options.host(), options.port());
          handler.setHandshakeTimeoutMillis(options.connectTimeout().toMillis());
          channel.pipeline().addLast(handler);
        });
        Frames.addTo(
            channel.pipeline(), options.maxFrameBytes(), ServerMessage.getDefaultInstance());
        channel.pipeline().addLast(new Greeting(options, greeted));
      }
    };
  }

  private Connection take(Channel channel, Welcome welcome, Consumer<Connection> changed) {
    Connection connection = new Connection(channel, options, welcome, changed);
    channel
        .pipeline()
        .addFirst(new IdleStateHandler(silence(welcome), 0, 0, TimeUnit.MILLISECONDS))
        .addLast(connection);
    return connection;
  }

  /** Milliseconds after which to look whether the server is still there, or is needed. */
  private long silence(Welcome welcome) {
    long own = options.answerTimeout().toMillis();
    long idle = Integer.toUnsignedLong(welcome.getLimits().getIdleTimeoutMillis());
    return Math.max(1, idle == 0 ? own : Math.min(own, (long) (idle * IDLE_PART)));
  }

  private TandemException refused(Throwable cause) {
    return TandemException.passing(
            ErrorCode.UNAVAILABLE,
            "cannot connect to %s: %s".formatted(options.address(), reason(cause)))
        .because(cause);
  }

  /** Netty puts the address into some messages. */
  private static String reason(Throwable cause) {
    return switch (cause) {
      case java.net.UnknownHostException e -> "no such host";
      case java.net.ConnectException e when e.getCause() != null -> e.getCause().getMessage();
      default -> String.valueOf(cause.getMessage());
    };
  }

  private TandemException silent() {
    return TandemException.passing(
        ErrorCode.UNAVAILABLE,
        "cannot connect to %s: no greeting for %d ms"
            .formatted(options.address(), options.connectTimeout().toMillis()));
  }
}
