package dev.tandem.server.rpc;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.server.transport.LingeringClose;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Around what cuts frames: one that is long and has not come to its end counts with the long
 * requests of all connections, and must come in time. Else connections that begin a frame each, and
 * say no more, would take as much memory as they like, for as long as they like.
 */
final class FrameLimit extends ChannelInboundHandlerAdapter {

  /** As much of a frame as a connection may have anyway. */
  static final int FREE_BYTES = 64 << 10;

  /** A long message may take so many times the time for a short one, as an HTTP body may. */
  static final int PATIENCE = 3;

  private final RpcService service;
  private final Duration patience;
  private int taken;
  private boolean refused;
  private Optional<Future<?>> timer = Optional.empty();

  FrameLimit(RpcService service) {
    this.service = service;
    this.patience = service.options().handshakeTimeout().multipliedBy(PATIENCE);
  }

  /** Hears of whole messages; stands behind what cuts frames. */
  ChannelInboundHandlerAdapter end() {
    return new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext context, Object message) {
        if (refused) {
          ReferenceCountUtil.release(message); // what was held of the frame
          return;
        }
        giveBack(); // the message itself counts from here on, if it is a long request
        context.fireChannelRead(message);
      }
    };
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    context.fireChannelRead(message);
    int held = Frames.heldBytes(context.pipeline());
    if (held > FREE_BYTES && held > taken && !refused && context.channel().isActive()) {
      take(context, held);
    }
  }

  private void take(ChannelHandlerContext context, int held) {
    if (!service.room().tryAcquire(held - taken)) {
      refuse(
          context,
          Wire.error(
              ErrorCode.OVERLOADED,
              "other long requests and their answers take all %d bytes that this server has for them"
                  .formatted(service.options().longRequestBytes()),
              true,
              service.desk().limits().retryAfter()));
      return;
    }
    taken = held;
    if (timer.isEmpty()) {
      waitFor(context);
    }
  }

  private void waitFor(ChannelHandlerContext context) {
    timer =
        Optional.of(
            context
                .executor()
                .schedule(() -> tooLate(context), patience.toNanos(), TimeUnit.NANOSECONDS));
  }

  private void tooLate(ChannelHandlerContext context) {
    if (!context.channel().config().isAutoRead()) {
      waitFor(context); // it is the server that does not read: the peer leaves answers unread
      return;
    }
    refuse(
        context,
        Wire.error(
            ErrorCode.DEADLINE_EXCEEDED,
            "a message of more than %d bytes did not come within %d ms"
                .formatted(FREE_BYTES, patience.toMillis()),
            true,
            Duration.ZERO));
  }

  /** Drops at once what has come: else frames that have no room together fail one after another. */
  private void refuse(ChannelHandlerContext context, ServerMessage why) {
    refused = true;
    Frames.stopReading(context.pipeline());
    giveBack();
    LingeringClose.after(context.channel(), why);
  }

  private void giveBack() {
    service.room().release(taken);
    taken = 0;
    timer.ifPresent(task -> task.cancel(false));
    timer = Optional.empty();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    giveBack();
  }
}
