package dev.tandem.engine.score;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The statistics, against plain sums over all tokens. */
class ModelComparisonTest {

  private static TokenComparison[] random(long seed) {
    Random random = new Random(seed);
    TokenComparison[] tokens = new TokenComparison[2 + random.nextInt(1000)];
    for (int i = 0; i < tokens.length; i++) {
      double reference = -5 * random.nextDouble();
      tokens[i] =
          new TokenComparison(
              Math.min(0, reference + 0.1 * random.nextGaussian()),
              reference,
              random.nextDouble() * random.nextDouble(),
              random.nextInt(10) > 0);
    }
    return tokens;
  }

  private static ModelComparison compared(TokenComparison... tokens) {
    ModelComparison comparison = new ModelComparison();
    Arrays.stream(tokens).forEach(comparison::add);
    return comparison;
  }

  private static double mean(TokenComparison[] tokens, ToDoubleFunction<TokenComparison> of) {
    return Arrays.stream(tokens).mapToDouble(of).sum() / tokens.length;
  }

  /** The error of a mean, by its definition. */
  private static double error(TokenComparison[] tokens, ToDoubleFunction<TokenComparison> of) {
    double mean = mean(tokens, of);
    double variance =
        mean(tokens, t -> (of.applyAsDouble(t) - mean) * (of.applyAsDouble(t) - mean));
    return Math.sqrt(variance / (tokens.length - 1));
  }

  private static void assertIs(double value, double error, Estimate estimate) {
    assertEquals(value, estimate.value(), 1e-11 * Math.abs(value));
    assertEquals(error, estimate.error(), 1e-10 * error);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void agreesWithPlainSums(long seed) {
    TokenComparison[] tokens = random(seed);
    ModelComparison comparison = compared(tokens);
    assertEquals(tokens.length, comparison.tokens());
    double perplexity = Math.exp(mean(tokens, t -> -t.logProbability()));
    assertIs(
        perplexity,
        perplexity * error(tokens, TokenComparison::logProbability),
        comparison.perplexity());
    double reference = Math.exp(mean(tokens, t -> -t.referenceLogProbability()));
    assertIs(
        reference,
        reference * error(tokens, TokenComparison::referenceLogProbability),
        comparison.referencePerplexity());
    assertEquals(Math.log(perplexity / reference), comparison.logRatio().value(), 1e-12);
    // The error of a ratio by the variances of both and their covariance.
    double covariance =
        mean(tokens, t -> t.logProbability() * t.referenceLogProbability())
            - mean(tokens, TokenComparison::logProbability)
                * mean(tokens, TokenComparison::referenceLogProbability);
    double variances =
        Math.pow(error(tokens, TokenComparison::logProbability), 2)
            + Math.pow(error(tokens, TokenComparison::referenceLogProbability), 2)
            - 2 * covariance / (tokens.length - 1);
    assertEquals(Math.sqrt(variances), comparison.logRatio().error(), 1e-8);
    assertIs(
        mean(tokens, TokenComparison::divergence),
        error(tokens, TokenComparison::divergence),
        comparison.divergence());
    ToDoubleFunction<TokenComparison> difference =
        t -> Math.exp(t.logProbability()) - Math.exp(t.referenceLogProbability());
    assertIs(
        mean(tokens, difference), error(tokens, difference), comparison.probabilityDifference());
    ToDoubleFunction<TokenComparison> squared =
        t -> difference.applyAsDouble(t) * difference.applyAsDouble(t);
    double root = Math.sqrt(mean(tokens, squared));
    assertIs(root, error(tokens, squared) / root / 2, comparison.rootMeanSquareDifference());
    double same = mean(tokens, t -> t.sameBest() ? 1 : 0);
    assertIs(same, Math.sqrt(same * (1 - same) / (tokens.length - 1)), comparison.sameBest());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void percentilesDivideTheTokens(long seed) {
    TokenComparison[] tokens = random(seed);
    double[] sorted =
        Arrays.stream(tokens).mapToDouble(TokenComparison::divergence).sorted().toArray();
    double[] percentiles = compared(tokens).divergencePercentiles(0, 0.5, 1, 0.9);
    int last = sorted.length - 1;
    assertEquals(sorted[0], percentiles[0]);
    assertEquals((sorted[last / 2] + sorted[(last + 1) / 2]) / 2, percentiles[1], 1e-15);
    assertEquals(sorted[last], percentiles[2]);
    long below = Arrays.stream(sorted).filter(value -> value <= percentiles[3]).count();
    assertEquals(0.9 * sorted.length, below, 1);
  }

  @Test
  void percentilesBetweenValuesAreInterpolated() {
    TokenComparison[] tokens = new TokenComparison[5];
    Arrays.setAll(tokens, i -> new TokenComparison(-1, -1, 10 * (4 - i), true));
    assertArrayEquals(
        new double[] {0, 4, 10, 25, 39.6, 40},
        compared(tokens).divergencePercentiles(0, 0.1, 0.25, 0.625, 0.99, 1),
        1e-12);
  }

  @Test
  void modelThatIsTheReferenceDiffersInNothing() {
    TokenDistribution first = TokenDistribution.of(new float[] {1, 2, 3});
    TokenDistribution second = TokenDistribution.of(new float[] {4, -2, 0.5f});
    ModelComparison comparison =
        compared(TokenComparison.of(first, first, 1), TokenComparison.of(second, second, 2));
    assertEquals(new Estimate(0, 0), comparison.divergence());
    assertEquals(new Estimate(0, 0), comparison.logRatio());
    assertEquals(new Estimate(0, 0), comparison.probabilityDifference());
    assertEquals(new Estimate(0, 0), comparison.rootMeanSquareDifference());
    assertEquals(new Estimate(1, 0), comparison.sameBest());
    assertEquals(comparison.referencePerplexity(), comparison.perplexity());
    assertArrayEquals(new double[] {0, 0}, comparison.divergencePercentiles(0, 1));
  }

  @Test
  void tokenIsComparedByBothDistributions() {
    TokenDistribution model = TokenDistribution.of(new float[] {1, 2, 3});
    TokenDistribution reference = TokenDistribution.of(new float[] {0, 4, 1});
    TokenComparison token = TokenComparison.of(model, reference, 0);
    assertEquals(model.logProbability(0), token.logProbability());
    assertEquals(reference.logProbability(0), token.referenceLogProbability());
    assertEquals(model.divergenceFrom(reference), token.divergence());
    assertEquals(false, token.sameBest());
    assertEquals(0.09003 - 0.01715, token.probabilityDifference(), 1e-5);
  }

  @Test
  void meanOfOneHasNoError() {
    RunningMean mean = new RunningMean();
    assertThrows(IllegalStateException.class, mean::estimate);
    mean.add(3);
    assertThrows(IllegalStateException.class, mean::estimate);
    mean.add(5);
    assertEquals(new Estimate(4, 1), mean.estimate());
    assertEquals(2, mean.count());
    assertThrows(
        IllegalStateException.class, () -> new ModelComparison().divergencePercentiles(0.5));
  }

  /** Numbers far from 0 whose squares would lose what they differ by. */
  @Test
  void meanOfLargeNumbersKeepsItsError() {
    RunningMean mean = new RunningMean();
    for (int i = 0; i < 1000; i++) {
      mean.add(1e9 + i % 2);
    }
    assertEquals(1e9 + 0.5, mean.estimate().value());
    assertEquals(0.5 / Math.sqrt(999), mean.estimate().error(), 1e-9);
  }
}
