package dev.tandem.server.transport;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Tells the handlers behind it when nothing has come for a while and nothing is under way, by the
 * event {@link #IDLE}, once. What counts is what arrives here: behind a decoder those are whole
 * messages, so that bytes which drip in one by one keep no connection open.
 */
public final class IdleTimeout extends ChannelInboundHandlerAdapter {

  /** The connection has been idle for too long. */
  public static final Object IDLE =
      new Object() {
        @Override
        public String toString() {
          return "idle";
        }
      };

  private final long timeoutNanos;
  private final BooleanSupplier busy;
  private volatile long lastNanos = System.nanoTime();
  private Future<?> timer;

  /**
   * @param timeout how long nothing may come
   * @param busy whether something is under way; asked on the event loop
   */
  public IdleTimeout(Duration timeout, BooleanSupplier busy) {
    this.timeoutNanos = timeout.toNanos();
    this.busy = busy;
  }

  /** Something has just come to its end: the time begins anew. From any thread. */
  public void touch() {
    lastNanos = System.nanoTime();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    touch();
    schedule(context, timeoutNanos);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    timer.cancel(false);
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    timer.cancel(false);
    context.fireChannelInactive();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    touch();
    context.fireChannelRead(message);
  }

  private void schedule(ChannelHandlerContext context, long nanos) {
    timer = context.executor().schedule(() -> look(context), nanos, TimeUnit.NANOSECONDS);
  }

  private void look(ChannelHandlerContext context) {
    if (context.isRemoved() || !context.channel().isActive()) {
      return;
    }
    if (busy.getAsBoolean()) {
      touch();
    }
    long left = timeoutNanos - (System.nanoTime() - lastNanos);
    if (left > 0) {
      schedule(context, left);
    } else {
      context.fireUserEventTriggered(IDLE);
    }
  }
}
