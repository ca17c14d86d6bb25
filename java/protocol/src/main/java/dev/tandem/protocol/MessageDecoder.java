package dev.tandem.protocol;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.DiscardUnknownFieldsParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.TooLongFrameException;

/**
 * Cuts bytes into frames, and reads a message out of each.
 *
 * <pre>
 *  in: bytes as they come                             out: messages
 * +------------+-----------+------------+--------+   +-----------+ +-----------+
 * | 0x0000000C | 12 bytes  | 0x0000000A | 10 ... |-->| message   | | message   |
 * +------------+-----------+------------+--------+   +-----------+ +-----------+
 * </pre>
 *
 * Held are the bytes of an unfinished frame, which is refused as soon as its length is read and too
 * large; and never more than one frame's. Unknown fields are skipped, not kept: as objects they
 * would take many times their bytes. Protobuf itself refuses messages and groups more than 100
 * deep.
 */
final class MessageDecoder extends LengthFieldBasedFrameDecoder {

  private final int maxBytes;
  private final Parser<? extends Message> parser;
  private boolean failed;

  MessageDecoder(int maxBytes, Message prototype) {
    super(maxFrame(maxBytes), 0, Frames.HEADER_BYTES, 0, Frames.HEADER_BYTES, true);
    this.maxBytes = maxBytes;
    this.parser = DiscardUnknownFieldsParser.wrap(prototype.getParserForType());
  }

  /** Netty's limit counts the header as well. */
  private static int maxFrame(int maxBytes) {
    if (maxBytes <= 0 || maxBytes > Integer.MAX_VALUE - Frames.HEADER_BYTES) {
      throw new IllegalArgumentException("at most %d bytes in a frame".formatted(maxBytes));
    }
    return maxBytes + Frames.HEADER_BYTES;
  }

  /** Bytes of a frame that has not come to its end. */
  int heldBytes() {
    return actualReadableBytes();
  }

  @Override
  protected Object decode(ChannelHandlerContext context, ByteBuf in) throws Exception {
    if (failed) {
      in.skipBytes(in.readableBytes());
      return null;
    }
    // Before it decides to skip what is too long, which is when the length can no longer be told.
    long length =
        in.readableBytes() >= Frames.HEADER_BYTES ? in.getUnsignedInt(in.readerIndex()) : 0;
    try {
      ByteBuf frame = (ByteBuf) super.decode(context, in);
      return frame == null ? null : message(frame);
    } catch (TooLongFrameException e) {
      failed = true;
      throw new MalformedFrameException(
          "a frame of %d bytes: at most %d are possible".formatted(length, maxBytes));
    } catch (InvalidProtocolBufferException e) {
      failed = true;
      throw new MalformedFrameException(
          "a frame of %d bytes is no message: %s".formatted(length, e.getMessage()), e);
    }
  }

  /** The part of the buffer itself; nobody keeps it. */
  @Override
  protected ByteBuf extractFrame(
      ChannelHandlerContext context, ByteBuf buffer, int index, int length) {
    return buffer.slice(index, length);
  }

  private Message message(ByteBuf frame) throws InvalidProtocolBufferException {
    return parser.parseFrom(CodedInputStream.newInstance(frame.nioBuffer()));
  }
}
