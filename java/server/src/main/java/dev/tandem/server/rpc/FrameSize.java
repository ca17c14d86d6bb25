package dev.tandem.server.rpc;

import com.google.protobuf.MessageLite;
import dev.tandem.protocol.Frames;
import io.netty.channel.DefaultMessageSizeEstimator;
import io.netty.channel.MessageSizeEstimator;

/**
 * Tells Netty how long a message will be as a frame, so that those which other threads have written
 * and the event loop has yet to take count for the watermarks like those it has.
 */
final class FrameSize implements MessageSizeEstimator.Handle {

  private static final MessageSizeEstimator.Handle OTHERS =
      DefaultMessageSizeEstimator.DEFAULT.newHandle();
  private static final FrameSize HANDLE = new FrameSize();

  static final MessageSizeEstimator ESTIMATOR = () -> HANDLE;

  private FrameSize() {}

  @Override
  public int size(Object written) {
    return written instanceof MessageLite message
        ? Frames.HEADER_BYTES + message.getSerializedSize() // which the message remembers
        : OTHERS.size(written);
  }
}
