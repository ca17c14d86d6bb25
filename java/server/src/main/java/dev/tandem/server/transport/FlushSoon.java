package dev.tandem.server.transport;

import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Flushes what is written by itself: once for all writes that wait when the event loop comes to
 * them, so that many small messages cost one system call, and a single one goes out at once.
 * Writers need not flush, but those on other threads have to {@link #send}.
 */
public final class FlushSoon extends ChannelOutboundHandlerAdapter {

  private final AtomicBoolean woken = new AtomicBoolean(); // and not yet awake
  private ChannelHandlerContext context;
  private boolean planned; // the event loop's

  /**
   * Writes a message, from any thread. Netty leaves a write without a flush lying until the event
   * loop has something else to do; so it is woken, once for all that is written until it is awake.
   *
   * @return done when the system has taken all of it
   */
  public ChannelFuture send(Object message) {
    ChannelFuture written = context.channel().write(message);
    if (!woken.get() && woken.compareAndSet(false, true)) {
      // Who finds it set has queued its write before this runs, and the loop then looks again.
      context.executor().execute(() -> woken.set(false));
    }
    return written;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
    context.write(message, promise);
    if (!planned) {
      planned = true;
      context.executor().execute(this::flushNow); // behind the writes that wait already
    }
  }

  private void flushNow() {
    planned = false;
    context.flush();
  }
}
