package dev.tandem.protocol;

import io.netty.handler.codec.EncoderException;

/** A message is longer than a frame may be: nothing of it has been written. */
public final class MessageTooLongException extends EncoderException {

  private static final long serialVersionUID = 1;

  MessageTooLongException(int bytes, int maxBytes) {
    super("a message of %d bytes: a frame has at most %d".formatted(bytes, maxBytes));
  }
}
