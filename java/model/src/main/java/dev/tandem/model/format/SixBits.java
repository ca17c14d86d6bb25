package dev.tandem.model.format;

/**
 * The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales {@code s} and eight 6-bit minima
 * {@code m}:
 *
 * <pre>
 *  byte 0..3    s[0..3], in its 2 high bits the 2 high bits of s[4..7]
 *  byte 4..7    m[0..3], in its 2 high bits the 2 high bits of m[4..7]
 *  byte 8..11   the 4 low bits of s[4..7], in its high half those of m[4..7]
 * </pre>
 */
final class SixBits {
  static final int BYTES = 12;

  private SixBits() {}

  static int scale(byte[] bytes, int from, int index) {
    return index < 4
        ? bytes[from + index] & 63
        : bytes[from + index + 4] & 0xF | (bytes[from + index - 4] >> 6 & 3) << 4;
  }

  static int minimum(byte[] bytes, int from, int index) {
    return index < 4
        ? bytes[from + index + 4] & 63
        : bytes[from + index + 4] >> 4 & 0xF | (bytes[from + index] >> 6 & 3) << 4;
  }

  /** Puts a pair into bytes that were zero. */
  static void put(byte[] bytes, int at, int index, int scale, int minimum) {
    if (index < 4) {
      bytes[at + index] |= (byte) scale;
      bytes[at + index + 4] |= (byte) minimum;
    } else {
      bytes[at + index + 4] |= (byte) (scale & 0xF | (minimum & 0xF) << 4);
      bytes[at + index - 4] |= (byte) (scale >> 4 << 6);
      bytes[at + index] |= (byte) (minimum >> 4 << 6);
    }
  }
}
