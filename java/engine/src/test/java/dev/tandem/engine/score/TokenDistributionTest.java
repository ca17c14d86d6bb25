package dev.tandem.engine.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the definitions, summed in 40 digits. */
class TokenDistributionTest {

  private static final MathContext DIGITS = new MathContext(40);

  /** The probabilities of a row; logits are small enough for the plain exponential. */
  private static BigDecimal[] softmax(float[] logits) {
    BigDecimal[] weights = new BigDecimal[logits.length];
    BigDecimal sum = BigDecimal.ZERO;
    for (int i = 0; i < logits.length; i++) {
      weights[i] = exp(logits[i]);
      sum = sum.add(weights[i], DIGITS);
    }
    for (int i = 0; i < weights.length; i++) {
      weights[i] = weights[i].divide(sum, DIGITS);
    }
    return weights;
  }

  /** Taylor's series around 0 of x / 2^16, squared 16 times. */
  private static BigDecimal exp(double x) {
    BigDecimal small = new BigDecimal(x).divide(BigDecimal.valueOf(65_536), DIGITS);
    BigDecimal term = BigDecimal.ONE;
    BigDecimal sum = BigDecimal.ONE;
    for (int n = 1; n < 20; n++) {
      term = term.multiply(small, DIGITS).divide(BigDecimal.valueOf(n), DIGITS);
      sum = sum.add(term, DIGITS);
    }
    for (int i = 0; i < 16; i++) {
      sum = sum.multiply(sum, DIGITS);
    }
    return sum;
  }

  private static float[] row(Random random, int tokens, double spread) {
    float[] logits = new float[tokens];
    double shift = 20 * random.nextGaussian();
    for (int i = 0; i < tokens; i++) {
      logits[i] = (float) (shift + spread * random.nextGaussian());
    }
    return logits;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void agreesWithItsDefinition(long seed) {
    Random random = new Random(seed);
    int tokens = 2 + random.nextInt(300);
    double spread = 0.1 + 10 * random.nextDouble();
    float[] logits = row(random, tokens, spread);
    float[] others = row(random, tokens, spread);
    TokenDistribution model = TokenDistribution.of(logits);
    TokenDistribution reference = TokenDistribution.of(others);
    BigDecimal[] p = softmax(logits);
    BigDecimal[] q = softmax(others);
    double divergence = 0;
    double total = 0;
    int best = 0;
    for (int i = 0; i < tokens; i++) {
      double expected = Math.log(p[i].doubleValue());
      assertEquals(
          expected, model.logProbability(i), 1e-12 * Math.max(1, -expected), "seed " + seed);
      divergence += q[i].doubleValue() * (Math.log(q[i].doubleValue()) - expected);
      total += Math.exp(model.logProbability(i));
      best = logits[i] > logits[best] ? i : best;
    }
    assertEquals(divergence, model.divergenceFrom(reference), 1e-11 * divergence, "seed " + seed);
    assertTrue(divergence > 0, "seed " + seed);
    assertEquals(1, total, 1e-12, "seed " + seed);
    assertEquals(best, model.best(), "seed " + seed);
    assertEquals(tokens, model.tokens());
  }

  @Test
  void equalRowsDoNotDivergeAtAll() {
    Random random = new Random(11);
    for (int i = 0; i < 50; i++) {
      float[] logits = row(random, 1000, 5);
      TokenDistribution one = TokenDistribution.of(logits);
      assertEquals(0, one.divergenceFrom(TokenDistribution.of(logits.clone())));
    }
  }

  /** A constant in all logits changes nothing; nor does the divergence fall below 0. */
  @Test
  void shiftedRowsDivergeByRoundingAlone() {
    Random random = new Random(12);
    for (int i = 0; i < 50; i++) {
      float[] logits = new float[500];
      float[] shifted = new float[500];
      for (int k = 0; k < logits.length; k++) {
        logits[k] = random.nextInt(2048) / 64f; // so that the sum is exact
        shifted[k] = logits[k] + 1024;
      }
      double divergence =
          TokenDistribution.of(shifted).divergenceFrom(TokenDistribution.of(logits));
      assertTrue(divergence >= 0 && divergence < 1e-14, "" + divergence);
    }
  }

  @Test
  void largeLogitsDoNotOverflow() {
    float[] logits = {3e38f, -3e38f, 3e38f, 0};
    TokenDistribution distribution = TokenDistribution.of(logits);
    assertEquals(-Math.log(2), distribution.logProbability(0), 1e-15);
    assertEquals(-6e38, distribution.logProbability(1), 1e32);
    assertEquals(0, distribution.best(), "of equal ones the first");
    TokenDistribution other = TokenDistribution.of(new float[] {-3e38f, 3e38f, 0, 0});
    assertTrue(Double.isFinite(other.divergenceFrom(distribution)));
    assertTrue(other.divergenceFrom(distribution) > 1e38);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void whatIsNotFiniteIsRefused(float value) {
    for (int place : new int[] {0, 3, 6}) {
      float[] logits = {1, 2, 3, 4, 3, 2, 1};
      logits[place] = value;
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> TokenDistribution.of(logits));
      assertEquals("the logit of token " + place + " is not finite: " + value, e.getMessage());
    }
  }

  @Test
  void whatCannotBeComparedIsRefused() {
    TokenDistribution three = TokenDistribution.of(new float[3]);
    TokenDistribution four = TokenDistribution.of(new float[4]);
    assertThrows(IllegalArgumentException.class, () -> three.divergenceFrom(four));
    assertThrows(IllegalArgumentException.class, () -> TokenDistribution.of(new float[0]));
    assertThrows(IndexOutOfBoundsException.class, () -> three.logProbability(3));
    assertThrows(IndexOutOfBoundsException.class, () -> three.logProbability(-1));
  }
}
