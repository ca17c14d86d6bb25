package dev.tandem.protocol;

import com.google.protobuf.Message;
import io.netty.channel.ChannelPipeline;

/**
 * What turns a connection's bytes into messages and back, the same on both ends.
 *
 * <pre>
 *  one frame
 * +---------------+----------------------------------+
 * | length n      | one message of tandem.proto      |
 * | 4 bytes,      | n bytes, protobuf                |
 * | big-endian    |                                  |
 * +---------------+----------------------------------+
 * </pre>
 *
 * A stream is one frame behind the other, and nothing else. What cannot be read ends it by one
 * {@link MalformedFrameException}: where the next frame begins would be a guess.
 */
public final class Frames {

  /** The newest version of the protocol that this code speaks. */
  public static final int VERSION = 1;

  /** Bytes of the length in front of a message. */
  public static final int HEADER_BYTES = 4;

  /** A limit for those who have no other, in bytes of one message. */
  public static final int DEFAULT_MAX_BYTES = 4 << 20;

  private Frames() {}

  /**
   * Adds the handlers to the end of a pipeline: behind them, messages of {@code prototype}'s type
   * arrive, and messages of any type are written. A {@link MalformedFrameException} arrives by
   * {@code exceptionCaught}, once; what the peer sends after it is thrown away unread. A message to
   * be written that is longer than the limit fails its write alone, with a {@link
   * MessageTooLongException}.
   *
   * @param maxBytes of one message, in both directions
   * @param prototype any message of the type that the peer sends
   */
  public static void addTo(ChannelPipeline pipeline, int maxBytes, Message prototype) {
    pipeline.addLast(new MessageDecoder(maxBytes, prototype), new MessageEncoder(maxBytes));
  }

  /** Bytes that a pipeline's handlers keep of a frame that has not come to its end. */
  public static int heldBytes(ChannelPipeline pipeline) {
    MessageDecoder decoder = pipeline.get(MessageDecoder.class);
    return decoder == null ? 0 : decoder.heldBytes();
  }

  /**
   * Takes away what cuts frames; messages are written as before. What was held of a frame arrives
   * as bytes behind where that was, for whoever drops it.
   */
  public static void stopReading(ChannelPipeline pipeline) {
    MessageDecoder decoder = pipeline.get(MessageDecoder.class);
    if (decoder != null) {
      pipeline.remove(decoder);
    }
  }
}
