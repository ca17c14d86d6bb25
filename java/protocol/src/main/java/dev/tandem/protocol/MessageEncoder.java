package dev.tandem.protocol;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.MessageLite;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.MessageToByteEncoder;
import java.io.IOException;

/**
 * Writes a message's length and the message into one buffer, of just that size.
 *
 * <pre>
 *  in                        out
 * +---------------------+   +------------+---------------------+
 * | message (12 bytes)  |-->| 0x0000000C | message (12 bytes)  |
 * +---------------------+   +------------+---------------------+
 * </pre>
 */
final class MessageEncoder extends MessageToByteEncoder<MessageLite> {

  private final int maxBytes;

  MessageEncoder(int maxBytes) {
    super(MessageLite.class);
    this.maxBytes = maxBytes;
  }

  @Override
  protected ByteBuf allocateBuffer(
      ChannelHandlerContext context, MessageLite message, boolean preferDirect) {
    int bytes = message.getSerializedSize(); // kept by the message
    if (bytes > maxBytes) {
      throw new MessageTooLongException(bytes, maxBytes);
    }
    int size = Frames.HEADER_BYTES + bytes;
    return preferDirect
        ? context.alloc().ioBuffer(size, size)
        : context.alloc().heapBuffer(size, size);
  }

  @Override
  protected void encode(ChannelHandlerContext context, MessageLite message, ByteBuf out)
      throws IOException {
    int bytes = message.getSerializedSize();
    out.writeInt(bytes);
    CodedOutputStream stream =
        CodedOutputStream.newInstance(out.nioBuffer(out.writerIndex(), bytes));
    message.writeTo(stream);
    stream.flush();
    stream.checkNoSpaceLeft();
    out.writerIndex(out.writerIndex() + bytes);
  }
}
