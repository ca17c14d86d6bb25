package dev.tandem.server.rpc;

import dev.tandem.protocol.MalformedFrameException;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.server.transport.LingeringClose;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.NotSslRecordException;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The last handler: what goes wrong with a connection ends it, and nothing else. */
final class Mishaps extends ChannelInboundHandlerAdapter {

  private static final Logger log = LoggerFactory.getLogger(Mishaps.class);

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    switch (cause) {
      case MalformedFrameException e -> {
        log.info("connection {}: {}", context.channel().id(), e.getMessage());
        LingeringClose.after(context.channel(), Wire.error(0, ErrorCode.MALFORMED, e.getMessage()));
      }
      // Reset by the peer.
      case IOException e -> {
        log.debug("connection {}: {}", context.channel().id(), reason(e));
        context.close();
      }
      case DecoderException e -> {
        log.info("connection {}: {}", context.channel().id(), reason(e));
        context.close();
      }
      default -> {
        log.error("connection {}: a defect; it is closed", context.channel().id(), cause);
        LingeringClose.after(
            context.channel(),
            Wire.error(0, ErrorCode.INTERNAL, "a defect; the server's log tells more"));
      }
    }
  }

  /** Without the bytes that came in the clear, which Netty quotes: a token may be among them. */
  private static String reason(Exception failure) {
    return failure instanceof NotSslRecordException
            || failure.getCause() instanceof NotSslRecordException
        ? "what it sends is no TLS, which this port wants (--tls-cert)"
        : failure.getMessage();
  }
}
