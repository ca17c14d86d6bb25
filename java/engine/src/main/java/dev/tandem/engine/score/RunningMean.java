package dev.tandem.engine.score;

/**
 * The mean of numbers that come one after another (Welford, "Note on a method for calculating
 * corrected sums of squares and products", Technometrics 4, 1962). Not safe for use from several
 * threads.
 */
public final class RunningMean {

  private long count;
  private double mean;
  private double squares; // sum of the squared deviations from the mean

  /** Counts a number. */
  public void add(double number) {
    count++;
    double deviation = number - mean;
    mean += deviation / count;
    squares += deviation * (number - mean);
  }

  /** How many numbers came. */
  public long count() {
    return count;
  }

  /**
   * Their mean.
   *
   * @throws IllegalStateException with fewer than two numbers, whose error nobody knows
   */
  public Estimate estimate() {
    if (count < 2) {
      throw new IllegalStateException("a mean of " + count + " numbers; at least 2 are needed");
    }
    return new Estimate(mean, Math.sqrt(squares / count / (count - 1)));
  }
}
