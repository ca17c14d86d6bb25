package dev.tandem.model.format;

/**
 * The sub-blocks of a super-block quantised between minimum and maximum: sub-block {@code b} has
 * {@code value = d * scale(b) * code - dmin * minimum(b)}.
 */
final class SubRanges {
  private final int[] scales;
  private final int[] minima;
  private final int mostCode;
  private final float d;
  private final float dmin;

  private SubRanges(int[] scales, int[] minima, int mostCode, float d, float dmin) {
    this.scales = scales;
    this.minima = minima;
    this.mostCode = mostCode;
    this.d = d;
    this.dmin = dmin;
  }

  /**
   * Fits the sub-blocks of the 256 values at {@code from}.
   *
   * @param length the values of a sub-block
   * @param mostCode the largest code
   * @param mostScale the largest scale and minimum
   */
  static SubRanges of(float[] values, int from, int length, int mostCode, int mostScale) {
    int count = SuperCodec.VALUES / length;
    float[] exactScales = new float[count];
    float[] exactMinima = new float[count];
    for (int b = 0; b < count; b++) {
      float min = 0; // A minimum is only ever subtracted: the range always holds zero.
      float max = 0;
      for (int i = from + b * length; i < from + (b + 1) * length; i++) {
        min = Math.min(min, values[i]);
        max = Math.max(max, values[i]);
      }
      exactScales[b] = (max - min) / mostCode;
      exactMinima[b] = -min;
    }
    float d = half(BlockCodec.largest(exactScales, 0, count) / mostScale);
    float dmin = half(BlockCodec.largest(exactMinima, 0, count) / mostScale);
    int[] scales = new int[count];
    int[] minima = new int[count];
    for (int b = 0; b < count; b++) {
      scales[b] = BlockCodec.nearest(exactScales[b] * BlockCodec.inverse(d), 0, mostScale);
      minima[b] = BlockCodec.nearest(exactMinima[b] * BlockCodec.inverse(dmin), 0, mostScale);
    }
    return new SubRanges(scales, minima, mostCode, d, dmin);
  }

  float d() {
    return d;
  }

  float dmin() {
    return dmin;
  }

  int scale(int subBlock) {
    return scales[subBlock];
  }

  int minimum(int subBlock) {
    return minima[subBlock];
  }

  int code(float value, int subBlock) {
    float shifted = value + dmin * minima[subBlock];
    return BlockCodec.nearest(shifted * BlockCodec.inverse(d * scales[subBlock]), 0, mostCode);
  }

  private static float half(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }
}
