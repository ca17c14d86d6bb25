package dev.tandem.engine.sample;

/**
 * The exponential with which tokens are drawn. {@code native/core/exponential.h} is the same
 * function, operation by operation, so that a draw here and one on a device agree in every bit.
 */
final class Exponential {

  private static final double LEAST = -708;
  private static final double MOST = 709;
  private static final double ROUND = 0x1.8p52;

  private Exponential() {}

  /**
   * e to the x within 1.5 units in the last place; 0 below -708, e^709 above 709. By x = n ln2 + r
   * with |r| at most ln2 / 2, and the Taylor series of e^r.
   */
  static double of(double x) {
    if (x < LEAST) {
      return 0;
    }
    double cut = x > MOST ? MOST : x;
    double shifted = cut * 0x1.71547652b82fep+0 + ROUND; // its low bits are the nearest whole n
    double n = shifted - ROUND;
    double r = (cut - n * 0x1.62e42fefap-1) - n * 0x1.cf79abc9e3b3ap-40;
    double p = 1.0 / 6227020800L;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p * Double.longBitsToDouble(Double.doubleToRawLongBits(shifted) + 1023 << 52); // 2^n
  }
}
