package dev.tandem.client;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.Loops;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.Limits;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A server that greets by itself, and otherwise does what the test says: {@link #next} waits for
 * what a client asks, and the test answers.
 */
final class FakeServer implements AutoCloseable {

  static final Duration PATIENCE = Duration.ofSeconds(20);

  /** What it is, unless the test says otherwise. */
  static final Welcome WELCOME =
      Welcome.newBuilder()
          .setProtocolVersion(Frames.VERSION)
          .setServerName("fake/1")
          .setLimits(Limits.newBuilder().setMaxFrameBytes(1 << 16).setMaxRequestsPerConnection(100))
          .build();

  private final Loops loops = new Loops(1, new DefaultThreadFactory("fake-server", true));
  private final BlockingQueue<Asked> asked = new LinkedBlockingQueue<>();
  private final BlockingQueue<Channel> lost = new LinkedBlockingQueue<>();
  private final List<Channel> connections = new CopyOnWriteArrayList<>();
  private final List<Hello> hellos = new CopyOnWriteArrayList<>();
  private final Function<Hello, Optional<ServerMessage>> greeting;
  private final Channel listener;

  private FakeServer(
      int port, Function<Hello, Optional<ServerMessage>> greeting, Optional<SslContext> tls) {
    this.greeting = greeting;
    listener =
        loops
            .server(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel channel) {
                    tls.ifPresent(
                        context -> channel.pipeline().addLast(context.newHandler(channel.alloc())));
                    Frames.addTo(channel.pipeline(), 1 << 20, ClientMessage.getDefaultInstance());
                    channel.pipeline().addLast(new Peer());
                  }
                })
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.SO_SNDBUF, 8 << 10)
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .syncUninterruptibly()
            .channel();
  }

  static FakeServer start() {
    return at(0);
  }

  /** At a port where one was before. */
  static FakeServer at(int port) {
    return new FakeServer(port, hello -> welcome(WELCOME), Optional.empty());
  }

  static FakeServer withTls(SslContext tls) {
    return new FakeServer(0, hello -> welcome(WELCOME), Optional.of(tls));
  }

  static FakeServer greeting(Function<Hello, Optional<ServerMessage>> greeting) {
    return new FakeServer(0, greeting, Optional.empty());
  }

  static Optional<ServerMessage> welcome(Welcome welcome) {
    return Optional.of(ServerMessage.newBuilder().setWelcome(welcome).build());
  }

  int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  String address() {
    return "localhost:" + port();
  }

  /** Options of a client of this server, quick to give up. */
  ClientOptions.Builder options() {
    return ClientOptions.to("localhost", port())
        .connections(1)
        .backoff(new Backoff(Duration.ofMillis(5), Duration.ofMillis(50)));
  }

  TandemClient client() {
    return TandemClient.connect(options().build());
  }

  /** The next message of a client that is no Hello. */
  Asked next() {
    return waited(asked);
  }

  /** Whether nobody asks anything for a while. */
  boolean isQuiet(Duration forSoLong) throws InterruptedException {
    return asked.poll(forSoLong.toNanos(), TimeUnit.NANOSECONDS) == null;
  }

  /** Waits until a connection ends. */
  Channel nextLost() {
    return waited(lost);
  }

  List<Channel> connections() {
    return connections;
  }

  List<Hello> hellos() {
    return hellos;
  }

  @Override
  public void close() {
    loops.close();
  }

  private static <T> T waited(BlockingQueue<T> queue) {
    try {
      T next = queue.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      assertNotNull(next, "nothing came within " + PATIENCE);
      return next;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** A client asked this. */
  record Asked(Channel channel, ClientMessage message) {

    /** Answers it. */
    ChannelFuture answer(ServerMessage.Builder answer) {
      return send(answer.setRequestId(message.getRequestId()));
    }

    /** Says something else. */
    ChannelFuture send(ServerMessage.Builder answer) {
      return channel.writeAndFlush(answer.build());
    }

    /** Sends these bytes as they are. */
    ChannelFuture sendBytes(byte... bytes) {
      return channel.pipeline().firstContext().writeAndFlush(Unpooled.wrappedBuffer(bytes));
    }
  }

  private final class Peer extends SimpleChannelInboundHandler<ClientMessage> {
    Peer() {
      super(ClientMessage.class);
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      connections.add(context.channel());
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      lost.add(context.channel());
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, ClientMessage message) {
      if (message.hasHello()) {
        hellos.add(message.getHello());
        greeting.apply(message.getHello()).ifPresent(context::writeAndFlush);
      } else {
        asked.add(new Asked(context.channel(), message));
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
