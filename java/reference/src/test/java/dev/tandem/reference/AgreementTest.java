package dev.tandem.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class AgreementTest {
  private static final double[][] REFERENCE = {{3, 4, 0}, {0, 0, 5}};

  @Test
  void same() {
    assertEquals(new Agreement(0, 0, 2, 0), Agreement.of(REFERENCE, REFERENCE, 0.5));
  }

  @Test
  void errorsAndOrder() {
    // Squared distances 4 and 1 of 25 each; the first row's best is now another one.
    double[][] ours = {{5, 4, 0}, {0, 0, 4}};
    assertEquals(new Agreement(5 / 50.0, 4 / 25.0, 2, 1), Agreement.of(ours, REFERENCE, 0.5));
    assertEquals(new Agreement(5 / 50.0, 4 / 25.0, 1, 0), Agreement.of(ours, REFERENCE, 1));
  }

  @Test
  void notANumberIsNoAgreement() {
    double[][] ours = {{Double.NaN, 4, 0}, {0, 0, 5}};
    assertEquals(Double.NaN, Agreement.of(ours, REFERENCE, 0.5).error());
  }

  @Test
  void refusesOtherShapes() {
    double[][] fewer = {{3, 4, 0}};
    double[][] narrower = {{3, 4}, {0, 0}};
    assertThrows(IllegalArgumentException.class, () -> Agreement.of(fewer, REFERENCE, 0));
    assertThrows(IllegalArgumentException.class, () -> Agreement.of(narrower, REFERENCE, 0));
  }
}
