package dev.tandem.engine.score;

import java.util.Arrays;

/**
 * How far a model is from a reference, over the tokens of a text: the statistics that
 * llama-perplexity gives of a quantised model and the one that it was made from. Not safe for use
 * from several threads.
 */
public final class ModelComparison {

  private final RunningMean surprise = new RunningMean();
  private final RunningMean referenceSurprise = new RunningMean();
  private final RunningMean excess = new RunningMean();
  private final RunningMean divergence = new RunningMean();
  private final RunningMean difference = new RunningMean();
  private final RunningMean squaredDifference = new RunningMean();
  private final RunningMean sameBest = new RunningMean();
  private double[] divergences = new double[256];

  /** Counts a token of the text. */
  public void add(TokenComparison token) {
    int count = (int) tokens();
    if (count == divergences.length) {
      divergences = Arrays.copyOf(divergences, Math.multiplyExact(2, count));
    }
    divergences[count] = token.divergence();
    surprise.add(-token.logProbability());
    referenceSurprise.add(-token.referenceLogProbability());
    // Of the difference, not of both: they err together, so that the ratio is known far better.
    excess.add(token.referenceLogProbability() - token.logProbability());
    divergence.add(token.divergence());
    double by = token.probabilityDifference();
    difference.add(by);
    squaredDifference.add(by * by);
    sameBest.add(token.sameBest() ? 1 : 0);
  }

  /** How many tokens came; the estimates need two. */
  public long tokens() {
    return surprise.count();
  }

  /** The model's perplexity. */
  public Estimate perplexity() {
    return surprise.estimate().exp();
  }

  /** The reference's perplexity. */
  public Estimate referencePerplexity() {
    return referenceSurprise.estimate().exp();
  }

  /** The logarithm of the model's perplexity over the reference's. */
  public Estimate logRatio() {
    return excess.estimate();
  }

  /** The mean Kullback-Leibler divergence, in nats. */
  public Estimate divergence() {
    return divergence.estimate();
  }

  /**
   * Percentiles of the divergence: below which of its values a fraction of the tokens lies.
   *
   * @param fractions from 0, the smallest value, to 1, the largest; between two values they are
   *     interpolated
   */
  public double[] divergencePercentiles(double... fractions) {
    int count = (int) tokens();
    if (count == 0) {
      throw new IllegalStateException("no tokens were compared");
    }
    double[] sorted = Arrays.copyOf(divergences, count);
    Arrays.sort(sorted);
    return Arrays.stream(fractions)
        .map(fraction -> {
          double place = fraction * (count - 1);
          int below = (int) place;
          int above = Math.min(below + 1, count - 1);
          return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
        })
        .toArray();
  }

  /** The mean of {@link TokenComparison#probabilityDifference}. */
  public Estimate probabilityDifference() {
    return difference.estimate();
  }

  /** The root of the mean of its square. */
  public Estimate rootMeanSquareDifference() {
    return squaredDifference.estimate().squareRoot();
  }

  /** In which part of all cases both thought the same token likeliest. */
  public Estimate sameBest() {
    return sameBest.estimate();
  }
}
