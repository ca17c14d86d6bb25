package dev.tandem.text;

/**
 * Turns the bytes of tokens, as they come, into whole characters: a token may end in the middle of
 * one, and half a character is never let out.
 *
 * <p>What comes out is always well-formed UTF-8, the same however the bytes are cut. Bytes that are
 * no character become U+FFFD, one for each longest beginning of a character (Unicode 16.0, section
 * 3.9.6), as browsers do it. Nothing is allocated per call once the buffer has its size. Not safe
 * for several threads.
 */
public final class Utf8Stream {
  /** Takes whole characters. */
  @FunctionalInterface
  public interface Sink {
    /** Takes UTF-8 from an array that is only lent: it is overwritten later. */
    void accept(byte[] utf8, int offset, int length);
  }

  private static final int LONGEST_CHARACTER = 4;

  private final Sink sink;

  /** The beginning of a character that is not complete. */
  private final byte[] pending = new byte[LONGEST_CHARACTER];

  private int pendingLength;
  private byte[] buffer = new byte[256];
  private int length;

  /** A stream into this sink. */
  public Utf8Stream(Sink sink) {
    this.sink = sink;
  }

  /** Takes more bytes and lets out the characters that are complete now. */
  public void write(byte[] bytes, int from, int to) {
    // Every byte may become U+FFFD.
    long room = 3L * (LONGEST_CHARACTER + to - from);
    if (buffer.length < room) {
      buffer = new byte[Math.toIntExact(room)];
    }
    for (int i = from; i < to; i++) {
      take(bytes[i]);
    }
    flush();
  }

  /** Ends the text: what is incomplete becomes U+FFFD. The stream can then begin another one. */
  public void finish() {
    if (pendingLength > 0) {
      replacePending();
    }
    flush();
  }

  private void take(byte b) {
    if (pendingLength > 0) {
      if (continues(b)) {
        pending[pendingLength++] = b;
        if (pendingLength == Utf8.length(pending[0])) {
          System.arraycopy(pending, 0, buffer, length, pendingLength);
          length += pendingLength;
          pendingLength = 0;
        }
        return;
      }
      replacePending();
    }
    if (b >= 0) {
      buffer[length++] = b;
    } else {
      pending[0] = b;
      pendingLength = 1;
      boolean begins = b >= (byte) 0xC2 && b <= (byte) 0xF4;
      if (!begins) {
        replacePending();
      }
    }
  }

  /** Whether the byte can follow those that are pending: second bytes have narrower limits. */
  private boolean continues(byte b) {
    int low = 0x80;
    int high = 0xBF;
    if (pendingLength == 1) {
      switch (pending[0] & 0xFF) {
        case 0xE0 -> low = 0xA0; // else too long for its character
        case 0xED -> high = 0x9F; // else a surrogate
        case 0xF0 -> low = 0x90; // else too long for its character
        case 0xF4 -> high = 0x8F; // else beyond U+10FFFF
        default -> {}
      }
    }
    int value = b & 0xFF;
    return value >= low && value <= high;
  }

  private void replacePending() {
    length = Utf8.put(Utf8.REPLACEMENT, buffer, length);
    pendingLength = 0;
  }

  private void flush() {
    if (length > 0) {
      sink.accept(buffer, 0, length);
      length = 0;
    }
  }
}
