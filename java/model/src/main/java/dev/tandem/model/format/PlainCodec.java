package dev.tandem.model.format;

import java.util.List;

/** Numbers that stand for themselves: F32, F16, BF16. */
abstract sealed class PlainCodec extends BlockCodec {
  private PlainCodec(TensorType type) {
    super(type);
  }

  static List<BlockCodec> all() {
    return List.of(new F32(), new F16(), new Bf16());
  }

  private static final class F32 extends PlainCodec {
    F32() {
      super(TensorType.F32);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      values[at] = Float.intBitsToFloat(LittleEndian.getInt(block, from));
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putInt(block, at, Float.floatToRawIntBits(values[from]));
    }
  }

  private static final class F16 extends PlainCodec {
    F16() {
      super(TensorType.F16);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      values[at] = LittleEndian.getHalf(block, from);
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putHalf(block, at, values[from]);
    }
  }

  /** The upper half of a single-precision number. */
  private static final class Bf16 extends PlainCodec {
    Bf16() {
      super(TensorType.BF16);
    }

    @Override
    void decodeBlock(byte[] block, int from, float[] values, int at) {
      values[at] = Float.intBitsToFloat(LittleEndian.getShort(block, from) << 16);
    }

    @Override
    void encodeBlock(float[] values, int from, byte[] block, int at) {
      LittleEndian.putShort(block, at, bits(values[from]));
    }

    /** Rounds to nearest, ties to even; a NaN stays one, whatever bits are cut off. */
    private static short bits(float value) {
      int bits = Float.floatToRawIntBits(value);
      if (Float.isNaN(value)) {
        return (short) (bits >>> 16 | 0x40);
      }
      int even = bits >>> 16 & 1;
      return (short) (bits + 0x7FFF + even >>> 16);
    }
  }
}
