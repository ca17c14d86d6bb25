package dev.tandem.model.format;

import java.util.List;

/**
 * Random blocks of a format whose decoded values have mean 0 and a given standard deviation: the
 * weights of synthetic models, made as fast as a disk takes them.
 *
 * <p>The codes of a block are plain random bits. Its scales are those of one of a few dozen block
 * headers made beforehand, which vary as the scales of real weights do. Where the codes of a format
 * are not symmetric around zero, the signs of the scales are random, so that the mean is.
 */
public final class RandomBlocks {
  private static final int HEADERS = 64;

  /** Random numbers for formats without scales are drawn from a table of this many. */
  private static final int TABLE = 4096;

  private final TensorType type;
  private final RandomBits random;
  private final float bound;
  private final short[] table;
  private final List<RandomHeader> headers;

  /**
   * Blocks of a format.
   *
   * @param deviation the standard deviation of the decoded values, positive
   * @throws IllegalArgumentException if {@link BlockCodec} does not know the format
   */
  public RandomBlocks(TensorType type, double deviation, RandomBits random) {
    BlockCodec codec = BlockCodec.of(type);
    if (!(deviation > 0) || deviation > Short.MAX_VALUE) {
      throw new IllegalArgumentException("a standard deviation of " + deviation);
    }
    this.type = type;
    this.random = random;
    this.bound = (float) (deviation * Math.sqrt(3)); // of a uniform distribution
    this.table = type.blockBytes() == Short.BYTES ? table(codec) : new short[0];
    this.headers =
        type.blockElements() == 1 ? List.of() : RandomHeader.of(type, deviation, random, HEADERS);
  }

  /** The format. */
  public TensorType type() {
    return type;
  }

  /**
   * Fills {@code length} bytes with the next blocks. The same calls in the same order give the same
   * bytes.
   *
   * @throws IllegalArgumentException if {@code length} is not a whole number of blocks
   */
  public void fill(byte[] blocks, int from, int length) {
    if (length % type.blockBytes() != 0) {
      throw new IllegalArgumentException(
          length + " bytes are not a whole number of " + type + " blocks of " + type.blockBytes());
    }
    switch (type) {
      case F32 -> fillSingles(blocks, from, length);
      case F16, BF16 -> fillHalves(blocks, from, length);
      default -> {
        fillBits(blocks, from, length, type == TensorType.Q8_0);
        putHeaders(blocks, from, length);
      }
    }
  }

  private void fillSingles(byte[] blocks, int from, int length) {
    float scale = bound * 0x1p-31f;
    for (int at = from; at < from + length; at += Float.BYTES) {
      float value = ((int) random.next() | 1) * scale; // odd numbers: their mean is 0
      LittleEndian.putInt(blocks, at, Float.floatToRawIntBits(value));
    }
  }

  private void fillHalves(byte[] blocks, int from, int length) {
    int end = from + length;
    int at = from;
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      long bits = random.next();
      long four = table[(int) bits & TABLE - 1] & 0xFFFFL;
      four |= (table[(int) (bits >>> 16) & TABLE - 1] & 0xFFFFL) << 16;
      four |= (table[(int) (bits >>> 32) & TABLE - 1] & 0xFFFFL) << 32;
      four |= (table[(int) (bits >>> 48) & TABLE - 1] & 0xFFFFL) << 48;
      LittleEndian.putLong(blocks, at, four);
    }
    for (; at < end; at += Short.BYTES) {
      LittleEndian.putShort(blocks, at, table[random.below(TABLE)]);
    }
  }

  private void fillBits(byte[] blocks, int from, int length, boolean symmetric) {
    int end = from + length;
    int at = from;
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      long bits = random.next();
      LittleEndian.putLong(blocks, at, symmetric ? symmetric(bits) : bits);
    }
    long bits = symmetric ? symmetric(random.next()) : random.next();
    for (; at < end; at++, bits >>>= 8) {
      blocks[at] = (byte) bits;
    }
  }

  /**
   * Eight signed bytes with every -128 replaced by 0: quantisers never produce it, and without it
   * the mean is 0. A byte is 0x80 where, after its highest bit is flipped, no bit is set.
   */
  private static long symmetric(long bytes) {
    long low = 0x7F7F7F7F7F7F7F7FL;
    long flipped = bytes ^ ~low;
    long zero = ~((flipped & low) + low | flipped | low);
    return bytes ^ zero;
  }

  private void putHeaders(byte[] blocks, int from, int length) {
    for (int block = from; block < from + length; block += type.blockBytes()) {
      headers.get(random.below(HEADERS)).putInto(blocks, block);
    }
  }

  /** The encoded midpoints of equal slices of the range, so that mean and deviation are exact. */
  private short[] table(BlockCodec codec) {
    float[] values = new float[TABLE];
    for (int i = 0; i < TABLE; i++) {
      values[i] = bound * (2 * i + 1 - TABLE) / TABLE;
    }
    byte[] encoded = codec.encode(values);
    short[] halves = new short[TABLE];
    for (int i = 0; i < TABLE; i++) {
      halves[i] = LittleEndian.getShort(encoded, Short.BYTES * i);
    }
    return halves;
  }
}
