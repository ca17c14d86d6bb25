package dev.tandem.model.format;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The bytes of a quantised block that are not codes: its scales. They lie in one or two pieces.
 *
 * @param bytes all of them, piece after piece
 * @param segments where the pieces belong in a block: offset and length in turn
 */
record RandomHeader(byte[] bytes, int... segments) {
  /**
   * Headers for blocks of random codes, which together have a given standard deviation. Scales vary
   * by a factor of up to two, and take both signs where codes are not symmetric around zero.
   */
  static List<RandomHeader> of(TensorType type, double deviation, RandomBits random, int count) {
    return switch (type) {
      case Q4_0 -> oneScale(deviation / rms(codes(16, 8)), random, count);
      case Q5_0 -> oneScale(deviation / rms(codes(32, 16)), random, count);
      case Q8_0 -> oneScale(deviation / rms(codes(255, 127)), random, count);
      case IQ4_NL -> oneScale(deviation / rms(IntStream.of(CodebookCodec.IQ4)), random, count);
      case Q4_1 -> scaleAndMinimum(deviation, 15, random, count);
      case Q5_1 -> scaleAndMinimum(deviation, 31, random, count);
      case Q2_K -> rangedScales(type, deviation, 3, 15, random, count);
      case Q4_K -> rangedScales(type, deviation, 15, 63, random, count);
      case Q5_K -> rangedScales(type, deviation, 31, 63, random, count);
      case Q3_K -> signedScales(type, deviation / rms(codes(8, 4)), 16, 31, random, count);
      case Q6_K -> signedScales(type, deviation / rms(codes(64, 32)), 16, 127, random, count);
      case IQ4_XS -> {
        double unit = deviation / rms(IntStream.of(CodebookCodec.IQ4));
        yield signedScales(type, unit, 8, 31, random, count);
      }
      case MXFP4 -> powersOfTwo(deviation, count);
      case F32, F16, BF16, I8, I16, I32, I64, F64 ->
          throw new IllegalArgumentException(type + " has no block headers");
    };
  }

  void putInto(byte[] blocks, int block) {
    int taken = 0;
    for (int s = 0; s < segments.length; s += 2) {
      System.arraycopy(bytes, taken, blocks, block + segments[s], segments[s + 1]);
      taken += segments[s + 1];
    }
  }

  /** {@code value = d * code}. */
  private static List<RandomHeader> oneScale(double unit, RandomBits random, int count) {
    int[] factors = factors(64, 127, random, count);
    double d = unit / rms(IntStream.of(factors));
    return IntStream.range(0, count)
        .mapToObj(h -> {
          byte[] bytes = new byte[2];
          LittleEndian.putHalf(bytes, 0, (float) (sign(h) * d * factors[h]));
          return new RandomHeader(bytes, 0, 2);
        })
        .toList();
  }

  /** {@code value = d * code + m}, with m such that the middle of the codes is zero. */
  private static List<RandomHeader> scaleAndMinimum(
      double deviation, int mostCode, RandomBits random, int count) {
    int[] factors = factors(64, 127, random, count);
    double d = deviation / (rmsOfRange(mostCode) * rms(IntStream.of(factors)));
    return IntStream.range(0, count)
        .mapToObj(h -> {
          byte[] bytes = new byte[4];
          LittleEndian.putHalf(bytes, 0, (float) (d * factors[h]));
          LittleEndian.putHalf(bytes, 2, LittleEndian.getHalf(bytes, 0) * -mostCode / 2);
          return new RandomHeader(bytes, 0, 4);
        })
        .toList();
  }

  /** {@code value = d * s * code - dmin * m} with m = s, and dmin such that the middle is zero. */
  private static List<RandomHeader> rangedScales(
      TensorType type,
      double deviation,
      int mostCode,
      int mostScale,
      RandomBits random,
      int count) {
    int scales = type == TensorType.Q2_K ? 16 : 8;
    int[] s = factors(mostScale / 2 + 1, mostScale, random, count * scales);
    byte[] d = new byte[4];
    LittleEndian.putHalf(d, 0, (float) (deviation / (rmsOfRange(mostCode) * rms(IntStream.of(s)))));
    LittleEndian.putHalf(d, 2, LittleEndian.getHalf(d, 0) * mostCode / 2);
    return IntStream.range(0, count)
        .mapToObj(h -> {
          if (type == TensorType.Q2_K) {
            byte[] bytes = new byte[scales + d.length];
            for (int b = 0; b < scales; b++) {
              bytes[b] = (byte) (s[h * scales + b] * 0x11);
            }
            System.arraycopy(d, 0, bytes, scales, d.length);
            return new RandomHeader(bytes, 0, scales, 80, d.length);
          }
          byte[] bytes = Arrays.copyOf(d, d.length + SixBits.BYTES);
          for (int b = 0; b < scales; b++) {
            SixBits.put(bytes, d.length, b, s[h * scales + b], s[h * scales + b]);
          }
          return new RandomHeader(bytes, 0, bytes.length);
        })
        .toList();
  }

  /** {@code value = d * s * code}, s of alternating sign. */
  private static List<RandomHeader> signedScales(
      TensorType type, double unit, int scales, int mostScale, RandomBits random, int count) {
    int[] s = factors(mostScale / 2 + 1, mostScale, random, count * scales);
    float d = (float) (unit / rms(IntStream.of(s)));
    return IntStream.range(0, count)
        .mapToObj(h -> {
          byte[] bytes = new byte[type == TensorType.Q6_K ? 18 : type == TensorType.Q3_K ? 14 : 8];
          LittleEndian.putHalf(bytes, type == TensorType.IQ4_XS ? 0 : bytes.length - 2, d);
          for (int b = 0; b < scales; b++) {
            int scale = sign(h + b) * s[h * scales + b];
            switch (type) {
              case Q6_K -> bytes[b] = (byte) scale;
              case Q3_K -> SuperCodec.Q3.putScale(bytes, 0, b, scale + 32);
              default -> CodebookCodec.Iq4Xs.putScale(bytes, 2, b, scale + 32);
            }
          }
          int offset = type == TensorType.IQ4_XS ? 0 : type.blockBytes() - bytes.length;
          return new RandomHeader(bytes, offset, bytes.length);
        })
        .toList();
  }

  /** MXFP4: of two neighbouring powers of two the mixture that has the deviation. */
  private static List<RandomHeader> powersOfTwo(double deviation, int count) {
    double unit = deviation / rms(IntStream.of(CodebookCodec.E2M1));
    int exponent = Math.getExponent(unit);
    double ratio = unit / Math.scalb(1.0, exponent);
    long larger = Math.round(count * (ratio * ratio - 1) / 3);
    return IntStream.range(0, count)
        .mapToObj(h ->
            new RandomHeader(new byte[] {(byte) (exponent + 128 + (h < larger ? 1 : 0))}, 0, 1))
        .toList();
  }

  private static int[] factors(int least, int most, RandomBits random, int count) {
    return IntStream.range(0, count).map(i -> least + random.below(most - least + 1)).toArray();
  }

  private static int sign(int index) {
    return index % 2 == 0 ? 1 : -1;
  }

  /** The codes {@code 0 .. count - 1} with the middle taken off. */
  private static IntStream codes(int count, int middle) {
    return IntStream.range(-middle, count - middle);
  }

  private static double rms(IntStream values) {
    return Math.sqrt(values.mapToDouble(value -> (double) value * value).average().orElseThrow());
  }

  /** The root mean square of codes {@code 0 .. most} around their exact middle. */
  private static double rmsOfRange(int most) {
    return Math.sqrt((most * (most + 2.0)) / 12);
  }
}
