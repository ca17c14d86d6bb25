package dev.tandem.reference;

/**
 * How well logits agree with those of a reference.
 *
 * @param error the normalised squared error of all rows, {@code sum((ours - reference)^2) /
 *     sum(reference^2)}
 * @param worstRowError the largest such error of one row
 * @param decidedRows rows in which the reference's best logit leads by more than the margin
 * @param wrongRows those of them whose best logit is another one with us
 */
public record Agreement(double error, double worstRowError, int decidedRows, int wrongRows) {

  /**
   * Compares.
   *
   * @param ours {@code [rows][vocabulary]}
   * @param reference of the same shape
   * @param margin a row counts as decided where the reference's best logit leads by more
   */
  public static Agreement of(double[][] ours, double[][] reference, double margin) {
    if (ours.length != reference.length) {
      throw new IllegalArgumentException(
          "%d rows, the reference has %d".formatted(ours.length, reference.length));
    }
    double errors = 0;
    double squares = 0;
    double worst = 0;
    int decided = 0;
    int wrong = 0;
    for (int row = 0; row < ours.length; row++) {
      double rowErrors = squaredDistance(ours[row], reference[row]);
      double rowSquares = squaredDistance(new double[ours[row].length], reference[row]);
      errors += rowErrors;
      squares += rowSquares;
      worst = Math.max(worst, rowErrors / rowSquares);
      if (lead(reference[row]) > margin) {
        decided++;
        wrong += best(ours[row]) == best(reference[row]) ? 0 : 1;
      }
    }
    return new Agreement(errors / squares, worst, decided, wrong);
  }

  /** The index of the largest logit; of several the first. */
  public static int best(double[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** By how much the largest logit exceeds the second. */
  public static double lead(double[] logits) {
    int best = best(logits);
    double second = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < logits.length; i++) {
      if (i != best) {
        second = Math.max(second, logits[i]);
      }
    }
    return logits[best] - second;
  }

  private static double squaredDistance(double[] a, double[] b) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(
          "a row of %d logits, the reference has %d".formatted(a.length, b.length));
    }
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum;
  }
}
