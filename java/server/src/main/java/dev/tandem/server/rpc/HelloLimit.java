package dev.tandem.server.rpc;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.server.transport.LingeringClose;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;

/**
 * Before frames are cut: as long as nobody knows who it is, a peer cannot have the server keep a
 * frame of megabytes. Taken away with the answer to Hello.
 */
final class HelloLimit extends ChannelInboundHandlerAdapter {

  private static final int MOST_BYTES = 64 << 10;

  private long bytes;

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (message instanceof ByteBuf buffer) {
      bytes += buffer.readableBytes();
    }
    context.fireChannelRead(message);
    if (bytes > MOST_BYTES && !context.isRemoved()) {
      LingeringClose.after(
          context.channel(),
          Wire.error(
              0,
              ErrorCode.MALFORMED,
              "%d bytes, and Hello is not complete: it takes at most %d"
                  .formatted(bytes, MOST_BYTES)));
    }
  }
}
