package dev.tandem.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.Model;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Against llama.cpp, which computed in float32 on the same weights: what remains is its rounding.
 */
class GoldenTest {
  private static final double TOLERANCE = 1e-12;

  static List<Golden> llamas() {
    return Golden.llamas();
  }

  @ParameterizedTest
  @MethodSource("llamas")
  void agrees(Golden golden) {
    double[][] ours = new ReferenceModel(Model.open(golden.model())).logits(Golden.tokens());
    Agreement agreement = Agreement.of(ours, golden.logits(), Golden.MARGIN);
    System.out.printf(Locale.ROOT, "reference %-22s %.1e%n", golden, agreement.error());
    assertTrue(agreement.error() <= TOLERANCE, agreement::toString);
    assertEquals(0, agreement.wrongRows(), agreement::toString);
    assertTrue(agreement.decidedRows() > 10, agreement::toString);
  }
}
