package dev.tandem.protocol;

import com.google.protobuf.Message;
import dev.tandem.protocol.v1.ClientMessage;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A connection's receiving end: what arrived there, and how much memory it took. */
final class Received implements AutoCloseable {

  final List<Message> messages = new ArrayList<>();
  final List<Throwable> failures = new ArrayList<>();
  private final UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(false);
  private final EmbeddedChannel channel = new EmbeddedChannel();
  private long most;

  Received(int maxBytes) {
    this(maxBytes, ClientMessage.getDefaultInstance());
  }

  Received(int maxBytes, Message prototype) {
    channel.config().setAllocator(memory);
    Frames.addTo(channel.pipeline(), maxBytes, prototype);
    channel
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                messages.add((Message) message);
              }

              @Override
              public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                failures.add(cause);
              }
            });
  }

  /** Gives it a piece of the stream. */
  Received bytes(byte... piece) {
    ByteBufAllocator allocator = channel.alloc();
    channel.writeInbound(allocator.buffer(piece.length).writeBytes(piece));
    most = Math.max(most, held());
    return this;
  }

  /** The same in pieces of this many bytes. */
  Received inPieces(byte[] stream, int size) {
    for (int at = 0; at < stream.length; at += size) {
      bytes(Arrays.copyOfRange(stream, at, Math.min(stream.length, at + size)));
    }
    return this;
  }

  /** Bytes of buffers that are held. */
  long held() {
    return memory.metric().usedHeapMemory() + memory.metric().usedDirectMemory();
  }

  /** The most that was held after any piece. */
  long most() {
    return most;
  }

  @Override
  public void close() {
    channel.finishAndReleaseAll();
  }

  /** The frame of a message. */
  static byte[] frame(Message message) {
    return frame(message.toByteArray());
  }

  /** A frame of these bytes. */
  static byte[] frame(byte... content) {
    byte[] frame = new byte[4 + content.length];
    Unpooled.wrappedBuffer(frame).setInt(0, content.length).setBytes(4, content);
    return frame;
  }

  /** One behind the other. */
  static byte[] joined(byte[]... parts) {
    return Unpooled.copiedBuffer(parts).array();
  }
}
