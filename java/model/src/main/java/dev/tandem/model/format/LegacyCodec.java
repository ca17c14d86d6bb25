package dev.tandem.model.format;

import java.util.List;

/**
 * Blocks of 32 values with one scale {@code d}, and for the {@code _1} types a minimum {@code m},
 * both in half precision:
 *
 * <pre>
 *  Q4_0  d  codes[16]            value = d * (code - 8)
 *  Q4_1  d  m  codes[16]         value = d * code + m
 *  Q5_0  d  high[4]  codes[16]   value = d * (code - 16)
 *  Q5_1  d  m  high[4] codes[16] value = d * code + m
 *  Q8_0  d  codes[32]            value = d * code
 * </pre>
 *
 * Byte {@code j} of 4-bit codes holds value {@code j} in its low and value {@code j + 16} in its
 * high half; bit {@code j} of {@code high} is the fifth bit of value {@code j}.
 */
abstract sealed class LegacyCodec extends BlockCodec {
  private static final int VALUES = 32;
  private static final int HALF = 16;

  private LegacyCodec(TensorType type) {
    super(type);
  }

  static List<BlockCodec> all() {
    return List.of(
        new Centred(TensorType.Q4_0, 4),
        new Ranged(TensorType.Q4_1, 4),
        new Centred(TensorType.Q5_0, 5),
        new Ranged(TensorType.Q5_1, 5),
        new Q8());
  }

  /** Codes of 4 or 5 bits around a middle that stands for zero: Q4_0, Q5_0. */
  private static final class Centred extends LegacyCodec {
    private final int bits;
    private final int middle;

    Centred(TensorType type, int bits) {
      super(type);
      this.bits = bits;
      this.middle = 1 << bits - 1;
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from);
      for (int i = 0; i < VALUES; i++) {
        values[at + i] = d * (code(block, from + 2, bits, i) - middle);
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putHalf(block, at, largest(values, from, VALUES) / -middle);
      float inverse = inverse(LittleEndian.getHalf(block, at));
      int[] codes = new int[VALUES];
      for (int i = 0; i < VALUES; i++) {
        codes[i] = nearest(values[from + i] * inverse + middle, 0, 2 * middle - 1);
      }
      putCodes(block, at + 2, bits, codes);
    }
  }

  /** Codes of 4 or 5 bits from a minimum upwards: Q4_1, Q5_1. */
  private static final class Ranged extends LegacyCodec {
    private final int bits;

    Ranged(TensorType type, int bits) {
      super(type);
      this.bits = bits;
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from);
      float m = LittleEndian.getHalf(block, from + 2);
      for (int i = 0; i < VALUES; i++) {
        values[at + i] = d * code(block, from + 4, bits, i) + m;
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      int most = (1 << bits) - 1;
      float min = values[from];
      float max = values[from];
      for (int i = 1; i < VALUES; i++) {
        min = Math.min(min, values[from + i]);
        max = Math.max(max, values[from + i]);
      }
      LittleEndian.putHalf(block, at, (max - min) / most);
      LittleEndian.putHalf(block, at + 2, min);
      float inverse = inverse(LittleEndian.getHalf(block, at));
      float m = LittleEndian.getHalf(block, at + 2);
      int[] codes = new int[VALUES];
      for (int i = 0; i < VALUES; i++) {
        codes[i] = nearest((values[from + i] - m) * inverse, 0, most);
      }
      putCodes(block, at + 4, bits, codes);
    }
  }

  private static final class Q8 extends LegacyCodec {
    Q8() {
      super(TensorType.Q8_0);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from);
      for (int i = 0; i < VALUES; i++) {
        values[at + i] = d * block[from + 2 + i];
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putHalf(block, at, Math.abs(largest(values, from, VALUES)) / 127);
      float inverse = inverse(LittleEndian.getHalf(block, at));
      for (int i = 0; i < VALUES; i++) {
        block[at + 2 + i] = (byte) nearest(values[from + i] * inverse, -127, 127);
      }
    }
  }

  /** Code {@code i}; {@code from} is where the codes, or their high bits, begin. */
  private static int code(byte[] block, int from, int bits, int i) {
    int codes = bits == 5 ? from + Integer.BYTES : from;
    int low = block[codes + i % HALF] >> (i < HALF ? 0 : 4) & 0xF;
    return bits == 5 ? low | (LittleEndian.getInt(block, from) >>> i & 1) << 4 : low;
  }

  private static void putCodes(byte[] block, int at, int bits, int[] codes) {
    int low = bits == 5 ? at + Integer.BYTES : at;
    int high = 0;
    for (int i = 0; i < HALF; i++) {
      block[low + i] = (byte) (codes[i] & 0xF | (codes[i + HALF] & 0xF) << 4);
      high |= codes[i] >> 4 << i | codes[i + HALF] >> 4 << i + HALF;
    }
    if (bits == 5) {
      LittleEndian.putInt(block, at, high);
    }
  }
}
