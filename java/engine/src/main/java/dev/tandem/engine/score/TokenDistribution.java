package dev.tandem.engine.score;

import java.util.Objects;

/**
 * What a row of logits says of the next token: its softmax, in double precision. Sums follow the
 * order of the tokens, so that equal rows give equal numbers.
 */
public final class TokenDistribution {

  private final float[] logits;
  private final int best;
  // Of exp(logit - largest logit): between 1 and the number of tokens, whatever the logits are.
  private final double sum;

  private TokenDistribution(float[] logits, int best, double sum) {
    this.logits = logits;
    this.best = best;
    this.sum = sum;
  }

  /**
   * The distribution of a row.
   *
   * @param logits one per token, at least one; kept, not copied: valid until it changes
   * @throws IllegalArgumentException if a logit is not finite
   */
  public static TokenDistribution of(float[] logits) {
    if (logits.length == 0) {
      throw new IllegalArgumentException("a row of logits is empty");
    }
    int best = 0;
    for (int i = 0; i < logits.length; i++) {
      if (!Float.isFinite(logits[i])) {
        throw new IllegalArgumentException(
            "the logit of token %d is not finite: %s".formatted(i, logits[i]));
      }
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    double largest = logits[best];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - largest);
    }
    return new TokenDistribution(logits, best, sum);
  }

  /** Tokens of the vocabulary. */
  public int tokens() {
    return logits.length;
  }

  /** The likeliest token; of equally likely ones the first. */
  public int best() {
    return best;
  }

  /** The natural logarithm of a token's probability: 0 or less, and finite. */
  public double logProbability(int token) {
    Objects.checkIndex(token, logits.length);
    return logits[token] - (double) logits[best] - Math.log(sum);
  }

  /**
   * The Kullback-Leibler divergence of this distribution from a reference, in nats: how many more
   * nats the reference's tokens take if this is believed instead. 0 if both are the same.
   *
   * @throws IllegalArgumentException if they are not over equally many tokens
   */
  public double divergenceFrom(TokenDistribution reference) {
    if (reference.logits.length != logits.length) {
      throw new IllegalArgumentException(
          "a distribution over %d tokens cannot be compared with one over %d"
              .formatted(logits.length, reference.logits.length));
    }
    double largest = logits[best];
    double referenceLargest = reference.logits[reference.best];
    double weighted = 0;
    for (int i = 0; i < logits.length; i++) {
      double theirs = reference.logits[i] - referenceLargest;
      weighted += Math.exp(theirs) * (theirs - (logits[i] - largest));
    }
    // It cannot be negative, but for what rounding leaves of 0.
    return Math.max(0, weighted / reference.sum - Math.log(reference.sum) + Math.log(sum));
  }
}
