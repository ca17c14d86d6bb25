package dev.tandem.runtime;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The conventions of tandem.h, as Java sees them: negative results are failures, texts are UTF-8.
 */
final class Calls {

  private static final int MESSAGE_BYTES = 2048;

  private Calls() {}

  /** The result, if it is none of a failure; else throws what the library has to say. */
  static long check(long result) {
    if (result < 0) {
      throw failure(-result);
    }
    return result;
  }

  static int check(int result) {
    if (result < 0) {
      throw failure(-(long) result);
    }
    return result;
  }

  /** The text for a {@code const void *} parameter: UTF-8, ended by NUL. */
  static ByteBuffer text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocateDirect(bytes.length + 1).put(bytes).put((byte) 0).flip();
  }

  private static RuntimeFailure failure(long status) {
    ByteBuffer message = ByteBuffer.allocateDirect(MESSAGE_BYTES);
    long length = Math.min(Native.td_error_message(message, MESSAGE_BYTES), MESSAGE_BYTES - 1);
    String text = StandardCharsets.UTF_8.decode(message.limit((int) length)).toString();
    return new RuntimeFailure(RuntimeFailure.Status.of(status), text);
  }
}
