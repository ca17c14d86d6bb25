package dev.tandem.server.transport;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;

/**
 * Flushes what is written by itself: once for all writes that wait when the event loop comes to
 * them, so that many small messages cost one system call, and a single one goes out at once.
 * Writers need not flush.
 */
public final class FlushSoon extends ChannelOutboundHandlerAdapter {

  private boolean planned;

  @Override
  public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
    context.write(message, promise);
    if (!planned) {
      planned = true;
      context.executor().execute(() -> flushNow(context)); // behind the writes that wait already
    }
  }

  private void flushNow(ChannelHandlerContext context) {
    planned = false;
    context.flush();
  }
}
