package dev.tandem.engine.score;

/**
 * What a model and a reference say of one token of a text.
 *
 * @param logProbability natural logarithm of the probability that the model gave it
 * @param referenceLogProbability the same of the reference
 * @param divergence of the model's distribution from the reference's, in nats
 * @param sameBest whether both think the same token likeliest
 */
public record TokenComparison(
    double logProbability, double referenceLogProbability, double divergence, boolean sameBest) {

  /**
   * Compares what both say before a token.
   *
   * @param token the one that follows in the text
   */
  public static TokenComparison of(
      TokenDistribution model, TokenDistribution reference, int token) {
    return new TokenComparison(
        model.logProbability(token),
        reference.logProbability(token),
        model.divergenceFrom(reference),
        model.best() == reference.best());
  }

  /** By how much likelier the token is to the model than to the reference: from -1 to 1. */
  public double probabilityDifference() {
    return Math.exp(logProbability) - Math.exp(referenceLogProbability);
  }
}
