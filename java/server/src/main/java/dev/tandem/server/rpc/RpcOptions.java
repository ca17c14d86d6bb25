package dev.tandem.server.rpc;

import dev.tandem.protocol.Frames;
import java.time.Duration;

/**
 * What the binary protocol's port accepts.
 *
 * @param maxFrameBytes of one message, in both directions
 * @param longRequestBytes of all requests together that take long to read or to answer, and of the
 *     latter's answers until they are read
 * @param requestsPerConnection that have not ended
 * @param handshakeTimeout from the connection to its Hello
 * @param idleTimeout without a message or an unfinished request, until the server closes
 * @param lowWatermarkBytes of unsent messages: requests that wait go on below it
 * @param highWatermarkBytes of unsent messages: requests wait above it
 * @param slowReaderTimeout how long they wait before they are given up
 */
public record RpcOptions(
    int maxFrameBytes,
    int longRequestBytes,
    int requestsPerConnection,
    Duration handshakeTimeout,
    Duration idleTimeout,
    int lowWatermarkBytes,
    int highWatermarkBytes,
    Duration slowReaderTimeout) {

  /** A Hello needs no more; nor does any other message but prompts. */
  private static final int LEAST_FRAME_BYTES = 1024;

  public RpcOptions {
    if (maxFrameBytes < LEAST_FRAME_BYTES) {
      throw new IllegalArgumentException(
          "frames of %d bytes are too small; at least %d"
              .formatted(maxFrameBytes, LEAST_FRAME_BYTES));
    }
    if (longRequestBytes < maxFrameBytes) {
      throw new IllegalArgumentException(
          "long requests: %d bytes are less than one can have, %d"
              .formatted(longRequestBytes, maxFrameBytes));
    }
    requirePositive("requests per connection", requestsPerConnection);
    requirePositive("handshake timeout", handshakeTimeout.toMillis());
    requirePositive("idle timeout", idleTimeout.toMillis());
    requirePositive("slow reader timeout", slowReaderTimeout.toMillis());
    requirePositive("low watermark", lowWatermarkBytes);
    if (highWatermarkBytes < lowWatermarkBytes) {
      throw new IllegalArgumentException(
          "high watermark: %d bytes are less than the low one's %d"
              .formatted(highWatermarkBytes, lowWatermarkBytes));
    }
  }

  private static void requirePositive(String what, long value) {
    if (value <= 0) {
      throw new IllegalArgumentException("%s: %d is too little".formatted(what, value));
    }
  }

  /** What suits most. */
  public static RpcOptions defaults() {
    return new RpcOptions(
        Frames.DEFAULT_MAX_BYTES,
        256 << 20,
        128,
        Duration.ofSeconds(10),
        Duration.ofMinutes(5),
        32 << 10,
        64 << 10,
        Duration.ofSeconds(30));
  }

  /** At least one of that size can be served. */
  public RpcOptions withMaxFrameBytes(int bytes) {
    return withFrames(bytes, Math.max(bytes, longRequestBytes));
  }

  /** The most that a message may have, and all together that take long. */
  public RpcOptions withFrames(int one, int all) {
    return new RpcOptions(
        one,
        all,
        requestsPerConnection,
        handshakeTimeout,
        idleTimeout,
        lowWatermarkBytes,
        highWatermarkBytes,
        slowReaderTimeout);
  }

  public RpcOptions withRequestsPerConnection(int most) {
    return new RpcOptions(
        maxFrameBytes,
        longRequestBytes,
        most,
        handshakeTimeout,
        idleTimeout,
        lowWatermarkBytes,
        highWatermarkBytes,
        slowReaderTimeout);
  }

  public RpcOptions withTimeouts(Duration handshake, Duration idle, Duration slowReader) {
    return new RpcOptions(
        maxFrameBytes,
        longRequestBytes,
        requestsPerConnection,
        handshake,
        idle,
        lowWatermarkBytes,
        highWatermarkBytes,
        slowReader);
  }

  public RpcOptions withWatermarks(int lowBytes, int highBytes) {
    return new RpcOptions(
        maxFrameBytes,
        longRequestBytes,
        requestsPerConnection,
        handshakeTimeout,
        idleTimeout,
        lowBytes,
        highBytes,
        slowReaderTimeout);
  }
}
