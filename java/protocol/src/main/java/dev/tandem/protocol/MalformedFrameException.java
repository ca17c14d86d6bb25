package dev.tandem.protocol;

import io.netty.handler.codec.DecoderException;

/**
 * What the peer sent is no frame of this protocol: longer than the limit, or no message. The
 * connection cannot be read on; a server answers it with {@code MALFORMED} and closes.
 */
public final class MalformedFrameException extends DecoderException {

  private static final long serialVersionUID = 1;

  MalformedFrameException(String message) {
    super(message);
  }

  MalformedFrameException(String message, Throwable cause) {
    super(message, cause);
  }
}
