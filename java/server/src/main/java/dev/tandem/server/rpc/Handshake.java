package dev.tandem.server.rpc;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.Limits;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.transport.FlushSoon;
import dev.tandem.server.transport.IdleTimeout;
import dev.tandem.server.transport.LingeringClose;
import dev.tandem.server.transport.WriteGate;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for Hello; answers it, and leaves its place to an {@link RpcConnection}, or closes.
 *
 * <pre>
 *   Hello -->           --> Welcome       who it is, and which version both speak
 *   anything else -->   --> Error, closed
 *   nothing in time     --> Error, closed
 * </pre>
 */
final class Handshake extends SimpleChannelInboundHandler<ClientMessage> {

  private static final Logger log = LoggerFactory.getLogger(Handshake.class);

  private static final int LONGEST_CLIENT_NAME = 64;

  private final RpcService service;
  private final WriteGate gate;
  private final FlushSoon out;
  private Future<?> timer;
  private boolean over;

  Handshake(RpcService service, WriteGate gate, FlushSoon out) {
    this.service = service;
    this.gate = gate;
    this.out = out;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    Duration timeout = service.options().handshakeTimeout();
    timer =
        context
            .executor()
            .schedule(() -> tooLate(context), timeout.toNanos(), TimeUnit.NANOSECONDS);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    timer.cancel(false);
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, ClientMessage message) {
    if (over) {
      return;
    }
    if (!message.hasHello() || message.getRequestId() != 0) {
      refuse(
          context,
          ErrorCode.UNSUPPORTED,
          "the first message of a connection is Hello, with request_id 0; this was %s, with %s"
              .formatted(message.getBodyCase(), Long.toUnsignedString(message.getRequestId())));
      return;
    }
    Hello hello = message.getHello();
    if (hello.getProtocolVersion() == 0) {
      refuse(
          context,
          ErrorCode.VERSION,
          "Hello with protocol_version 0: this server speaks 1 to " + Frames.VERSION);
      return;
    }
    Optional<Caller> caller = service.authenticator().caller(hello.getToken());
    if (caller.isEmpty()) {
      refuse(
          context,
          ErrorCode.UNAUTHENTICATED,
          hello.getToken().isEmpty()
              ? "this server wants a token in Hello"
              : "the token in Hello is not one of this server's");
      return;
    }
    welcome(context, hello, caller.get());
  }

  private void welcome(ChannelHandlerContext context, Hello hello, Caller caller) {
    over = true;
    log.debug(
        "connection {}: {}, tenant \"{}\"",
        context.channel().id(),
        printable(hello.getClientName()),
        caller.tenant());
    RpcConnection connection = new RpcConnection(service, gate, out, caller);
    IdleTimeout idle = new IdleTimeout(service.options().idleTimeout(), connection::isBusy);
    connection.idleAt(idle);
    context.pipeline().remove(HelloLimit.class);
    context.pipeline().addAfter(context.name(), null, connection);
    context.pipeline().addAfter(context.name(), null, idle);
    context.writeAndFlush(answer(hello)); // before anything that the connection says
    context.pipeline().remove(this);
    service.greeted().add(context.channel());
    if (service.desk().state() == Desk.State.DRAINING) { // perhaps while nobody knew of this one
      context
          .channel()
          .writeAndFlush(Wire.goAway("the server is ending", service.desk().limits().retryAfter()));
    }
  }

  private ServerMessage answer(Hello hello) {
    RpcOptions options = service.options();
    Welcome.Builder welcome =
        Welcome.newBuilder()
            // Both are without sign: what looks negative is newer than anything.
            .setProtocolVersion(
                Integer.compareUnsigned(hello.getProtocolVersion(), Frames.VERSION) < 0
                    ? hello.getProtocolVersion()
                    : Frames.VERSION)
            .setServerName(service.serverName())
            .setLimits(
                Limits.newBuilder()
                    .setMaxFrameBytes(options.maxFrameBytes())
                    .setMaxRequestsPerConnection(options.requestsPerConnection())
                    .setMaxPromptTokens(service.desk().limits().promptTokens())
                    .setIdleTimeoutMillis(Wire.millis(options.idleTimeout())));
    service.desk().backend().ifPresent(model -> welcome.setModel(Wire.modelInfo(model.card())));
    return ServerMessage.newBuilder().setWelcome(welcome).build();
  }

  /** Nothing that a peer calls itself may look like a line of the log. */
  private static String printable(String name) {
    return name.codePoints()
        .limit(LONGEST_CLIENT_NAME)
        .map(c -> c < ' ' || c > '~' ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  private void tooLate(ChannelHandlerContext context) {
    if (!over && context.channel().isActive()) {
      refuse(
          context,
          ErrorCode.DEADLINE_EXCEEDED,
          "no Hello within %d ms".formatted(service.options().handshakeTimeout().toMillis()));
    }
  }

  private void refuse(ChannelHandlerContext context, ErrorCode code, String message) {
    over = true;
    log.info("connection {}: {}, {}", context.channel().id(), code, message);
    boolean retry = code == ErrorCode.DEADLINE_EXCEEDED; // the others stay wrong
    LingeringClose.after(context.channel(), Wire.error(code, message, retry, Duration.ZERO));
  }
}
