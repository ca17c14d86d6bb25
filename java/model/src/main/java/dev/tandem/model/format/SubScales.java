package dev.tandem.model.format;

/**
 * The 16 sub-blocks of a super-block quantised around zero: sub-block {@code b} has {@code value =
 * d * scale(b) * (code - middle)}.
 */
final class SubScales {
  private static final int COUNT = 16;
  private static final int LENGTH = SuperCodec.VALUES / COUNT;

  private final int[] scales;
  private final int middle;
  private final float d;

  private SubScales(int[] scales, int middle, float d) {
    this.scales = scales;
    this.middle = middle;
    this.d = d;
  }

  /**
   * Fits the sub-blocks of the 256 values at {@code from}.
   *
   * @param middle the code that stands for zero; codes lie below twice of it
   * @param mostScale scales lie from {@code -mostScale} to {@code mostScale - 1}
   */
  static SubScales of(float[] values, int from, int middle, int mostScale) {
    float[] exact = new float[COUNT];
    for (int b = 0; b < COUNT; b++) {
      // The side of the largest magnitude gets the code that has one step more.
      exact[b] = BlockCodec.largest(values, from + b * LENGTH, LENGTH) / -middle;
    }
    float largest = BlockCodec.largest(exact, 0, COUNT) / -mostScale;
    float d = Float.float16ToFloat(Float.floatToFloat16(largest));
    int[] scales = new int[COUNT];
    for (int b = 0; b < COUNT; b++) {
      scales[b] = BlockCodec.nearest(exact[b] * BlockCodec.inverse(d), -mostScale, mostScale - 1);
    }
    return new SubScales(scales, middle, d);
  }

  float d() {
    return d;
  }

  int scale(int subBlock) {
    return scales[subBlock];
  }

  int code(float value, int subBlock) {
    float scaled = value * BlockCodec.inverse(d * scales[subBlock]);
    return BlockCodec.nearest(scaled + middle, 0, 2 * middle - 1);
  }
}
