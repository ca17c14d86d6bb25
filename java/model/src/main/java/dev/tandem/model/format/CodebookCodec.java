package dev.tandem.model.format;

import java.util.List;

/**
 * Blocks of 4-bit codes that index a fixed table of values:
 *
 * <pre>
 *  IQ4_NL  d:half  codes[16]                         32 values = d * table[code]
 *  IQ4_XS  d:half  high:u16  low[4]  codes[128]  8 x 32 values = d * (s - 32) * table[code]
 *  MXFP4   e:u8  codes[16]                           32 values = 2^(e - 128) * table[code]
 * </pre>
 *
 * Byte {@code j} of every 16 holds value {@code j} in its low and value {@code j + 16} in its high
 * half. The 6-bit scale {@code s} of sub-block {@code b} has its low 4 bits in {@code low} and its
 * high 2 bits at bit {@code 2 b} of {@code high}. MXFP4 is the OCP microscaling format with its
 * values (E2M1) doubled and the scale halved.
 */
abstract sealed class CodebookCodec extends BlockCodec {
  private static final int VALUES = 32;
  private static final int HALF = 16;

  /** GGML's table for IQ4: steps that grow away from zero, fit to the weights of real models. */
  static final int[] IQ4 = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  /** Twice the values of a 4-bit float with 2 bits of exponent and 1 of mantissa. */
  static final int[] E2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  private CodebookCodec(TensorType type) {
    super(type);
  }

  static List<BlockCodec> all() {
    return List.of(new Iq4Nl(), new Iq4Xs(), new Mxfp4());
  }

  private static final class Iq4Nl extends CodebookCodec {
    Iq4Nl() {
      super(TensorType.IQ4_NL);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      decode32(block, from + 2, IQ4, LittleEndian.getHalf(block, from), values, at);
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putHalf(block, at, largest(values, from, VALUES) / IQ4[0]);
      encode32(values, from, IQ4, LittleEndian.getHalf(block, at), block, at + 2);
    }
  }

  static final class Iq4Xs extends CodebookCodec {
    private static final int SUB_BLOCKS = 8;

    Iq4Xs() {
      super(TensorType.IQ4_XS);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      float d = LittleEndian.getHalf(block, from);
      int high = LittleEndian.getShort(block, from + 2);
      for (int b = 0; b < SUB_BLOCKS; b++) {
        int low = block[from + 4 + b / 2] >> 4 * (b % 2) & 0xF;
        int scale = low | (high >> 2 * b & 3) << 4;
        int codes = from + 8 + b * HALF;
        decode32(block, codes, IQ4, d * (scale - 32), values, at + b * VALUES);
      }
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      float[] scales = new float[SUB_BLOCKS];
      for (int b = 0; b < SUB_BLOCKS; b++) {
        scales[b] = largest(values, from + b * VALUES, VALUES) / IQ4[0];
      }
      LittleEndian.putHalf(block, at, largest(scales, 0, SUB_BLOCKS) / -32);
      float d = LittleEndian.getHalf(block, at);
      LittleEndian.putShort(block, at + 2, (short) 0);
      LittleEndian.putInt(block, at + 4, 0);
      for (int b = 0; b < SUB_BLOCKS; b++) {
        int scale = nearest(scales[b] * inverse(d), -32, 31);
        putScale(block, at + 2, b, scale + 32);
        int codes = at + 8 + b * HALF;
        encode32(values, from + b * VALUES, IQ4, d * scale, block, codes);
      }
    }

    /** Puts a scale, 32 added to it, into bytes that were zero. */
    static void putScale(byte[] block, int at, int b, int scale) {
      block[at + b / 4] |= (byte) (scale >> 4 << b % 4 * 2);
      block[at + 2 + b / 2] |= (byte) ((scale & 0xF) << b % 2 * 4);
    }
  }

  private static final class Mxfp4 extends CodebookCodec {
    /** The largest value of the table is 6 = 1.5 * 2^2, doubled. */
    private static final int LARGEST_EXPONENT = 2;

    Mxfp4() {
      super(TensorType.MXFP4);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      decode32(block, from + 1, E2M1, halfScale(block[from] & 0xFF), values, at);
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      float most = Math.abs(largest(values, from, VALUES));
      int exponent = most == 0 ? 0 : 127 + Math.getExponent(most) - LARGEST_EXPONENT;
      block[at] = (byte) Math.clamp(exponent, 0, 254);
      encode32(values, from, E2M1, halfScale(block[at] & 0xFF), block, at + 1);
    }

    /** 2^(exponent - 128), which for the least two exponents is below the normal numbers. */
    private static float halfScale(int exponent) {
      return Math.scalb(1f, exponent - 128);
    }
  }

  private static void decode32(
      byte[] block, int codes, int[] table, float scale, float[] values, int at) {
    for (int j = 0; j < HALF; j++) {
      values[at + j] = scale * table[block[codes + j] & 0xF];
      values[at + j + HALF] = scale * table[block[codes + j] >> 4 & 0xF];
    }
  }

  private static void encode32(
      float[] values, int from, int[] table, float scale, byte[] block, int codes) {
    float inverse = inverse(scale);
    for (int j = 0; j < HALF; j++) {
      int low = nearestIn(table, values[from + j] * inverse);
      int high = nearestIn(table, values[from + j + HALF] * inverse);
      block[codes + j] = (byte) (low | high << 4);
    }
  }

  private static int nearestIn(int[] table, float value) {
    int best = 0;
    for (int code = 1; code < table.length; code++) {
      if (Math.abs(table[code] - value) < Math.abs(table[best] - value)) {
        best = code;
      }
    }
    return best;
  }
}
