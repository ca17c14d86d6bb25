package dev.tandem.server.transport;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Closes a connection so that the peer can read the last words: who closes a socket with unread
 * bytes in it makes the system reset the connection, and what was on its way is lost. So the end of
 * the output is said, what still comes is thrown away, and the peer is given a moment to close.
 */
public final class LingeringClose {

  private static final Duration MOST = Duration.ofSeconds(2);

  private LingeringClose() {}

  /** Sends the last message, and closes. On the event loop; what comes in from now on is lost. */
  public static void after(Channel channel, Object lastMessage) {
    if (channel.pipeline().get(Discard.class) != null) {
      ReferenceCountUtil.release(lastMessage);
      return; // it is on its way already
    }
    channel.pipeline().addFirst(new Discard());
    channel.config().setAutoRead(true);
    channel.eventLoop().schedule(() -> channel.close(), MOST.toMillis(), TimeUnit.MILLISECONDS);
    channel
        .writeAndFlush(lastMessage)
        .addListener(written -> {
          if (written.isSuccess()) {
            endOutput(channel);
          } else {
            channel.close();
          }
        });
  }

  private static void endOutput(Channel channel) {
    SslHandler tls = channel.pipeline().get(SslHandler.class);
    if (tls != null) {
      tls.closeOutbound().addListener(said -> shutdown(channel));
    } else {
      shutdown(channel);
    }
  }

  private static void shutdown(Channel channel) {
    if (channel instanceof DuplexChannel duplex) {
      duplex.shutdownOutput();
    } else {
      channel.close();
    }
  }

  /** Throws away what comes, before anybody looks at it. */
  private static final class Discard extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ReferenceCountUtil.release(message);
    }
  }
}
