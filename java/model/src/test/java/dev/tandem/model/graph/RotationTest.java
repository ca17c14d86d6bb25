package dev.tandem.model.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class RotationTest {
  private static final float[] NO_DIVISORS = {};

  @Test
  void frequenciesFallGeometrically() {
    assertArrayEquals(
        new double[] {1, 1e-1, 1e-2, 1e-3}, rotation(8, 1e4, 1).frequencies(NO_DIVISORS), 1e-15);
  }

  @Test
  void scalesAndDivides() {
    Rotation rotation = rotation(6, 1000, 0.5);
    assertArrayEquals(new double[] {0.5, 0.05, 0.005}, rotation.frequencies(NO_DIVISORS), 1e-15);
    assertArrayEquals(
        new double[] {0.5, 0.0125, 0.000625}, rotation.frequencies(new float[] {1, 4, 8}), 1e-15);
  }

  @Test
  void refusesAnotherNumberOfDivisors() {
    Rotation rotation = rotation(6, 1000, 1);
    float[] two = {1, 1};
    assertThrows(IllegalArgumentException.class, () -> rotation.frequencies(two));
  }

  private static Rotation rotation(int dimensions, double base, double scale) {
    return new Rotation(Rotation.Layout.NORM, dimensions, base, scale, Optional.empty());
  }
}
