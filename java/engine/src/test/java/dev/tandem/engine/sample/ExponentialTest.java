package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class ExponentialTest {

  /** {@code kernels_weigh_test.cpp} computes the same number from the same arguments. */
  @Test
  void isTheDevicesBitByBit() {
    RandomNumbers random = new RandomNumbers(1);
    long hash = 0xcbf29ce484222325L;
    for (int i = 0; i < 1_000_000; i++) {
      double uniform = random.next();
      double x =
          switch (i % 4) {
            case 0 -> 720 - 1440 * uniform;
            case 1 -> -uniform;
            case 2 -> -20 * uniform;
            default -> -uniform * 1e-9;
          };
      hash = added(hash, x);
    }
    double[] special = {
      0.0, -0.0, -708.0, 709.0, -1e300, 1e300, 0x1.62e42fefa39efp-1, -0x1.62e42fefa39efp-2
    };
    for (double x : special) {
      hash = added(hash, x);
    }
    assertEquals(Long.toHexString(0x1e20a919ac39c80fL), Long.toHexString(hash));
  }

  private static long added(long hash, double x) {
    return (hash ^ Double.doubleToRawLongBits(Exponential.of(x))) * 0x100000001b3L;
  }

  @Test
  void isNearTheLibrarys() {
    Random random = new Random(3);
    for (int i = 0; i < 200_000; i++) {
      double x = random.nextDouble(-708, 709);
      double expected = StrictMath.exp(x); // within one unit
      assertTrue(Math.abs(Exponential.of(x) - expected) <= 3 * Math.ulp(expected), "x = " + x);
    }
  }

  @Test
  void atTheEnds() {
    assertEquals(1, Exponential.of(0));
    assertEquals(0, Exponential.of(Double.NEGATIVE_INFINITY));
    assertEquals(0, Exponential.of(Math.nextDown(-708.0)));
    assertEquals(Exponential.of(709), Exponential.of(Double.POSITIVE_INFINITY));
    assertTrue(Double.isNaN(Exponential.of(Double.NaN)));
  }
}
