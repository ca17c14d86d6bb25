package dev.tandem.model.graph;

import java.util.Optional;

/**
 * A rotary position embedding (Su et al., 2021): the pair {@code i} of a head at position {@code p}
 * is rotated by the angle {@code p * frequency(i)}.
 *
 * @param layout where the two halves of a pair lie
 * @param dimensions elements of a head that are rotated, an even number
 * @param base the frequency of pair {@code i} is {@code base^(-2i / dimensions)}
 * @param scale all frequencies are multiplied by it (linear position scaling: 1 / factor)
 * @param divisors one divisor per pair, as the models of the Llama 3.1 kind bring them
 */
public record Rotation(
    Layout layout, int dimensions, double base, double scale, Optional<Weight> divisors) {

  /** Where the two halves of a rotated pair lie. */
  public enum Layout {
    /** Neighbours: (0, 1), (2, 3) ... */
    NORM,
    /** Half a rotation apart: (0, n/2), (1, n/2 + 1) ... */
    NEOX
  }

  /**
   * The frequencies of all pairs, in radians per position.
   *
   * @param divisorValues the values of {@link #divisors()}; empty if there are none
   */
  public double[] frequencies(float[] divisorValues) {
    int pairs = dimensions / 2;
    if (divisorValues.length != 0 && divisorValues.length != pairs) {
      throw new IllegalArgumentException(
          "rotation: %d divisors for %d pairs".formatted(divisorValues.length, pairs));
    }
    double[] frequencies = new double[pairs];
    for (int i = 0; i < pairs; i++) {
      double divisor = divisorValues.length == 0 ? 1 : divisorValues[i];
      frequencies[i] = scale * Math.pow(base, -2.0 * i / dimensions) / divisor;
    }
    return frequencies;
  }
}
