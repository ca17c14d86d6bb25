package dev.tandem.engine.score;

/**
 * A value that was estimated from a sample.
 *
 * @param value the estimate
 * @param error its standard error: with as many samples again, the value would differ by about this
 */
public record Estimate(double value, double error) {

  /** The exponential; its error to first order. */
  public Estimate exp() {
    double exponential = Math.exp(value);
    return new Estimate(exponential, exponential * error);
  }

  /** The square root; its error to first order. Of 0 it is 0 without error. */
  public Estimate squareRoot() {
    double root = Math.sqrt(value);
    return new Estimate(root, root == 0 ? 0 : error / (2 * root));
  }
}
