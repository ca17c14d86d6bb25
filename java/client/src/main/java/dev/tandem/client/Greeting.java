package dev.tandem.client;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.MalformedFrameException;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Promise;
import javax.net.ssl.SSLException;

/**
 * Says Hello when a connection can be written to, and waits for Welcome; then it leaves the
 * pipeline to what comes next.
 */
final class Greeting extends SimpleChannelInboundHandler<ServerMessage> {

  private final ClientOptions options;
  private final Promise<Welcome> done;

  Greeting(ClientOptions options, Promise<Welcome> done) {
    super(ServerMessage.class);
    this.options = options;
    this.done = done;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    if (options.tls().isEmpty()) {
      sayHello(context);
    }
    context.fireChannelActive();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof SslHandshakeCompletionEvent handshake) {
      if (handshake.isSuccess()) {
        sayHello(context);
      } else if (handshake.cause() instanceof SSLException tls) {
        fail(context, untrusted(tls));
      } else {
        fail(
            context,
            unavailable("the connection was lost during the TLS handshake; perhaps it has no TLS")
                .because(handshake.cause()));
      }
    }
    context.fireUserEventTriggered(event);
  }

  private void sayHello(ChannelHandlerContext context) {
    context.writeAndFlush(
        ClientMessage.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setProtocolVersion(Frames.VERSION)
                    .setToken(options.token())
                    .setClientName(options.clientName()))
            .build());
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, ServerMessage message) {
    switch (message.getBodyCase()) {
      case WELCOME -> {
        Welcome welcome = message.getWelcome();
        int version = welcome.getProtocolVersion();
        if (version < 1 || version > Frames.VERSION) {
          fail(
              context,
              TandemException.lasting(
                  ErrorCode.VERSION,
                  "%s speaks version %d of the protocol: this client speaks 1 to %d"
                      .formatted(
                          options.address(), Integer.toUnsignedLong(version), Frames.VERSION)));
        } else {
          context.pipeline().remove(this);
          done.trySuccess(welcome);
        }
      }
      case ERROR -> fail(context, TandemException.of(message.getError()));
      default -> fail(context, strange("its first word is " + message.getBodyCase()));
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    fail(context, unavailable("it closed the connection before the greeting"));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    switch (cause) {
      case MalformedFrameException e -> fail(context, strange(e.getMessage()).because(e));
      case DecoderException e when e.getCause() instanceof SSLException tls ->
          fail(context, untrusted(tls));
      default -> fail(context, unavailable(String.valueOf(cause.getMessage())).because(cause));
    }
  }

  private void fail(ChannelHandlerContext context, TandemException failure) {
    done.tryFailure(failure);
    context.close();
  }

  private TandemException unavailable(String how) {
    return TandemException.passing(
        ErrorCode.UNAVAILABLE, "cannot connect to %s: %s".formatted(options.address(), how));
  }

  private TandemException untrusted(Throwable cause) {
    return TandemException.lasting(
            ErrorCode.UNAVAILABLE,
            "TLS with %s failed: %s".formatted(options.address(), cause.getMessage()))
        .because(cause);
  }

  private TandemException strange(String what) {
    return TandemException.lasting(
        ErrorCode.MALFORMED,
        "%s is no Tandem server, or wants TLS: %s".formatted(options.address(), what));
  }
}
