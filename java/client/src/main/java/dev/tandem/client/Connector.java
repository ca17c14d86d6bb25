package dev.tandem.client;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.Loops;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
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
import java.net.InetAddress;
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
  private final Lookup lookup;

  Connector(Loops loops, ClientOptions options, Lookup.Resolver resolver) {
    this.loops = loops;
    this.loop = loops.group().next();
    this.options = options;
    this.tls = options.tls().map(Connector::context);
    this.lookup = new Lookup(loop, options.host(), resolver);
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
    return new Attempt(this, options, loop, changed).connect(lookup);
  }

  /**
   * Opens a connection to one of the server's addresses.
   *
   * @param greeted what becomes of it when it is open; a failure is a {@link TandemException}
   */
  ChannelFuture open(InetAddress address, int timeoutMillis, Promise<Welcome> greeted) {
    return loops
        .client(pipeline(greeted))
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, timeoutMillis)
        .option(ChannelOption.TCP_NODELAY, true)
        .option(
            ChannelOption.RECVBUF_ALLOCATOR,
            new AdaptiveRecvByteBufAllocator(64, 4 << 10, MOST_READ_BYTES))
        .connect(address, options.port());
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

  /** Makes a connection of a channel behind its greeting. */
  Connection take(Channel channel, Welcome welcome, Consumer<Connection> changed) {
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
}
