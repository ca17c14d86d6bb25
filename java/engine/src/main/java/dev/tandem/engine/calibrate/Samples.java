package dev.tandem.engine.calibrate;

import java.util.Arrays;

/** Measured values of one thing. */
public final class Samples {

  private double[] values = new double[8];
  private int count;

  /** One more. */
  public void add(double value) {
    if (count == values.length) {
      values = Arrays.copyOf(values, 2 * count);
    }
    values[count++] = value;
  }

  /** All, in the order in which they were measured. */
  public double[] values() {
    return Arrays.copyOf(values, count);
  }

  /** The middle one, or the mean of the two in the middle. */
  public double median() {
    if (count == 0) {
      throw new IllegalStateException("nothing has been measured");
    }
    double[] sorted = values();
    Arrays.sort(sorted);
    int middle = count / 2;
    return count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  public double mean() {
    return Arrays.stream(values, 0, count).average().orElseThrow();
  }

  /** The standard deviation of a sample; 0 for a single value. */
  public double deviation() {
    double mean = mean();
    double squares = Arrays.stream(values, 0, count).map(x -> (x - mean) * (x - mean)).sum();
    return count < 2 ? 0 : Math.sqrt(squares / (count - 1));
  }
}
