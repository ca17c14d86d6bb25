package dev.tandem.model.format;

import java.util.Arrays;
import java.util.List;

/**
 * Super-blocks of 256 values in sub-blocks of 16 or 32, whose small integer scales are scaled in
 * turn by one half-precision {@code d} (and {@code dmin}): the K-quants.
 *
 * <pre>
 *  Q2_K  scales[16]  codes[64]  d  dmin             value = d * s * code - dmin * m
 *  Q3_K  high[32]  codes[64]  scales[12]  d         value = d * (s - 32) * (code - 4)
 *  Q4_K  d  dmin  scales[12]  codes[128]            value = d * s * code - dmin * m
 *  Q5_K  d  dmin  scales[12]  high[32]  codes[128]  value = d * s * code - dmin * m
 *  Q6_K  low[128]  high[64]  scales[16]  d          value = d * s * (code - 32)
 * </pre>
 *
 * How the bits of a code and of a scale are spread over the bytes is said at each of them.
 */
abstract sealed class SuperCodec extends BlockCodec {
  static final int VALUES = 256;

  private SuperCodec(TensorType type) {
    super(type);
  }

  static List<BlockCodec> all() {
    return List.of(
        new Q2(), new Q3(), new Ranged(TensorType.Q4_K), new Ranged(TensorType.Q5_K), new Q6());
  }

  /** The 2 bits of value {@code i} that Q2_K and Q3_K keep at {@code codes}: four rows of 32. */
  private static int twoBits(byte[] block, int codes, int i) {
    return block[codes + i / 128 * 32 + i % 32] >> twoBitShift(i) & 3;
  }

  private static int twoBitShift(int i) {
    return i % 128 / 32 * 2;
  }

  /** Clears all codes and scales of a block, so that encoding can put bits in. */
  static void clear(byte[] block, int at, int length) {
    Arrays.fill(block, at, at + length, (byte) 0);
  }

  /**
   * 16 sub-blocks of 16; a scale byte has the scale in its low and the minimum in its high half.
   */
  private static final class Q2 extends SuperCodec {
    private static final int CODES = 16;
    private static final int D = 80;

    Q2() {
      super(TensorType.Q2_K);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from + D);
      float dmin = LittleEndian.getHalf(block, from + D + 2);
      for (int i = 0; i < VALUES; i++) {
        int s = block[from + i / 16];
        float scale = d * (s & 0xF);
        float minimum = dmin * (s >> 4 & 0xF);
        values[at + i] = scale * twoBits(block, from + CODES, i) - minimum;
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      clear(block, at, type().blockBytes());
      SubRanges ranges = SubRanges.of(values, from, 16, 3, 15);
      for (int b = 0; b < 16; b++) {
        block[at + b] = (byte) (ranges.scale(b) | ranges.minimum(b) << 4);
      }
      LittleEndian.putHalf(block, at + D, ranges.d());
      LittleEndian.putHalf(block, at + D + 2, ranges.dmin());
      for (int i = 0; i < VALUES; i++) {
        int code = ranges.code(values[from + i], i / 16);
        block[at + CODES + i / 128 * 32 + i % 32] |= (byte) (code << twoBitShift(i));
      }
    }
  }

  /**
   * 16 sub-blocks of 16. Bit {@code i / 32} of {@code high[i % 32]} is the third bit of code {@code
   * i}. Scale {@code b} has its low 4 bits in one half of byte {@code b % 8}, its high 2 bits in
   * byte {@code 8 + b % 4}.
   */
  static final class Q3 extends SuperCodec {
    private static final int CODES = 32;
    private static final int SCALES = 96;
    private static final int D = 108;

    Q3() {
      super(TensorType.Q3_K);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from + D);
      for (int i = 0; i < VALUES; i++) {
        int b = i / 16;
        int low = block[from + SCALES + b % 8] >> b / 8 * 4 & 0xF;
        int scale = low | (block[from + SCALES + 8 + b % 4] >> b / 4 * 2 & 3) << 4;
        int high = block[from + i % 32] >> i / 32 & 1;
        int code = twoBits(block, from + CODES, i) | high << 2;
        values[at + i] = d * (scale - 32) * (code - 4);
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      clear(block, at, type().blockBytes());
      SubScales scales = SubScales.of(values, from, 4, 32);
      LittleEndian.putHalf(block, at + D, scales.d());
      for (int b = 0; b < 16; b++) {
        putScale(block, at + SCALES, b, scales.scale(b) + 32);
      }
      for (int i = 0; i < VALUES; i++) {
        int code = scales.code(values[from + i], i / 16);
        block[at + CODES + i / 128 * 32 + i % 32] |= (byte) ((code & 3) << twoBitShift(i));
        block[at + i % 32] |= (byte) (code >> 2 << i / 32);
      }
    }

    /** Puts a scale, 32 added to it, into bytes that were zero. */
    static void putScale(byte[] block, int at, int b, int scale) {
      block[at + b % 8] |= (byte) ((scale & 0xF) << b / 8 * 4);
      block[at + 8 + b % 4] |= (byte) (scale >> 4 << b / 4 * 2);
    }
  }

  /**
   * Q4_K and Q5_K: 8 sub-blocks of 32. Each 32 bytes of codes hold two sub-blocks, the first in the
   * low halves; bit {@code b} of {@code high[j]} is the fifth bit of value {@code j} of sub-block
   * {@code b}. See {@link SixBits} for the scales.
   */
  private static final class Ranged extends SuperCodec {
    private static final int SCALES = 4;
    private static final int AFTER_SCALES = 16;

    private final boolean fiveBits;

    Ranged(TensorType type) {
      super(type);
      fiveBits = type == TensorType.Q5_K;
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from);
      float dmin = LittleEndian.getHalf(block, from + 2);
      int codes = from + AFTER_SCALES + (fiveBits ? 32 : 0);
      for (int b = 0; b < 8; b++) {
        float scale = d * SixBits.scale(block, from + SCALES, b);
        float minimum = dmin * SixBits.minimum(block, from + SCALES, b);
        for (int j = 0; j < 32; j++) {
          int code = block[codes + b / 2 * 32 + j] >> b % 2 * 4 & 0xF;
          if (fiveBits) {
            code |= (block[from + AFTER_SCALES + j] >> b & 1) << 4;
          }
          values[at + b * 32 + j] = scale * code - minimum;
        }
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      clear(block, at, type().blockBytes());
      SubRanges ranges = SubRanges.of(values, from, 32, fiveBits ? 31 : 15, 63);
      LittleEndian.putHalf(block, at, ranges.d());
      LittleEndian.putHalf(block, at + 2, ranges.dmin());
      int codes = at + AFTER_SCALES + (fiveBits ? 32 : 0);
      for (int b = 0; b < 8; b++) {
        SixBits.put(block, at + SCALES, b, ranges.scale(b), ranges.minimum(b));
        for (int j = 0; j < 32; j++) {
          int code = ranges.code(values[from + b * 32 + j], b);
          block[codes + b / 2 * 32 + j] |= (byte) ((code & 0xF) << b % 2 * 4);
          if (fiveBits) {
            block[at + AFTER_SCALES + j] |= (byte) (code >> 4 << b);
          }
        }
      }
    }
  }

  /**
   * 16 sub-blocks of 16. Of each 128 values, 64 bytes of {@code low} hold the low 4 bits, the first
   * 64 values in the low halves; 32 bytes of {@code high} hold the high 2 bits of values {@code j},
   * {@code j + 32}, {@code j + 64} and {@code j + 96}.
   */
  private static final class Q6 extends SuperCodec {
    private static final int HIGH = 128;
    private static final int SCALES = 192;
    private static final int D = 208;

    Q6() {
      super(TensorType.Q6_K);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from + D);
      for (int i = 0; i < VALUES; i++) {
        int low = block[from + lowByte(i)] >> i % 128 / 64 * 4 & 0xF;
        int high = block[from + highByte(i)] >> twoBitShift(i) & 3;
        values[at + i] = d * block[from + SCALES + i / 16] * ((low | high << 4) - 32);
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      clear(block, at, type().blockBytes());
      SubScales scales = SubScales.of(values, from, 32, 128);
      LittleEndian.putHalf(block, at + D, scales.d());
      for (int b = 0; b < 16; b++) {
        block[at + SCALES + b] = (byte) scales.scale(b);
      }
      for (int i = 0; i < VALUES; i++) {
        int code = scales.code(values[from + i], i / 16);
        block[at + lowByte(i)] |= (byte) ((code & 0xF) << i % 128 / 64 * 4);
        block[at + highByte(i)] |= (byte) (code >> 4 << twoBitShift(i));
      }
    }

    private static int lowByte(int i) {
      return i / 128 * 64 + i % 64;
    }

    private static int highByte(int i) {
      return HIGH + i / 128 * 32 + i % 32;
    }
  }
}
