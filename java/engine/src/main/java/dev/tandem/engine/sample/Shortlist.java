package dev.tandem.engine.sample;

import dev.tandem.engine.program.StepBlock;
import java.util.Arrays;

/**
 * Draws from an output's candidates, where they hold all that the filters keep. Computes what
 * {@code native/cpu/pick_operation.cpp} computes from the whole row, in the same order, and so
 * draws the same token: {@code docs/sampling.md} describes both. Allocates nothing when it draws.
 */
final class Shortlist {

  /** What is returned where the whole row is needed. */
  static final int TOO_SHORT = -1;

  private static final int LANES = 8;
  private static final int RUN_BITS = 12; // a run is 4,096 ids

  private final double inverseTemperature;
  private final int topK;
  private final double typical;
  private final double topP;
  private final double minP;
  private final int vocabulary;

  // The candidates, the best first.
  private final int[] ids = new int[StepBlock.CANDIDATES];
  private final double[] logits = new double[StepBlock.CANDIDATES];
  private final double[] exponentials = new double[StepBlock.CANDIDATES]; // of logit less the best
  private int count;

  // What is kept of the order: places from here to before there, which may lie behind the list.
  private int from;
  private int to;

  // The kept ones in the order of their ids: (id, place), and their weights.
  private final long[] byId = new long[StepBlock.CANDIDATES];
  private final double[] weights = new double[StepBlock.CANDIDATES];
  private final double[] lanes = new double[LANES];

  /**
   * @param inverseTemperature finite, not negative
   */
  Shortlist(SamplingOptions options, double inverseTemperature, int vocabulary) {
    this.inverseTemperature = inverseTemperature;
    this.topK = options.topK();
    this.typical = options.typical();
    this.topP = options.topP();
    this.minP = options.minP();
    this.vocabulary = vocabulary;
  }

  /**
   * Draws a candidate.
   *
   * @param uniform the random number
   * @return its place among the candidates, or {@link #TOO_SHORT}
   */
  int draw(StepBlock step, int output, double uniform) {
    from = 0;
    to = topK == 0 || topK > vocabulary ? vocabulary : topK;
    if (to > StepBlock.CANDIDATES && (typical < 1 || topP == 1 && minP == 0)) {
      return TOO_SHORT;
    }
    read(step, output);
    if (typical < 1) {
      keepTypical();
    }
    if (topP < 1) {
      if (to > count && to < vocabulary) {
        return TOO_SHORT; // it is a part of a sum that nobody knows
      }
      boolean wholeRow = to == vocabulary && typical == 1;
      keepTopP(wholeRow ? Exponential.of(step.logSum(output) - logits[0]) : sumOfKept());
    }
    if (minP > 0) {
      keepMinP();
    }
    return to <= count ? draw(uniform) : TOO_SHORT;
  }

  private void read(StepBlock step, int output) {
    count = step.candidates(output);
    int looked = Math.min(to, count);
    for (int i = 0; i < looked; i++) {
      ids[i] = step.candidateId(output, i);
      logits[i] = step.candidateLogit(output, i);
    }
    if (typical < 1 || topP < 1 || minP > 0) {
      for (int i = 0; i < looked; i++) {
        exponentials[i] = Exponential.of(logits[i] - logits[0]);
      }
    }
  }

  // ---- filters ----

  private double distance(int place) {
    return logits[0] - logits[place];
  }

  private double sumOfKept() {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += exponentials[i];
    }
    return sum;
  }

  /**
   * Those whose surprisal is nearest to its mean, the entropy, until their probability exceeds the
   * limit (Meister et al., "Locally typical sampling", 2023). A surprisal is the distance from the
   * best and a constant, so distances do.
   */
  private void keepTypical() {
    int all = to;
    double sum = 0;
    double weighted = 0;
    for (int i = 0; i < all; i++) {
      sum += exponentials[i];
      weighted += exponentials[i] * distance(i);
    }
    double mean = weighted / sum;
    to = 0;
    while (to < all && distance(to) < mean) {
      to++;
    }
    from = to;
    double reached = 0;
    while (reached <= typical * sum && (from > 0 || to < all)) {
      boolean before = to == all || from > 0 && mean - distance(from - 1) <= distance(to) - mean;
      reached += exponentials[before ? --from : to++];
    }
  }

  /** The best ones until their sum reaches the limit, if it does within the list. */
  private void keepTopP(double total) {
    double sum = 0;
    for (int i = from; i < Math.min(to, count); i++) {
      sum += exponentials[i];
      if (sum >= topP * total) {
        to = i + 1;
      }
    }
  }

  /** The best ones down to the limit, if it lies within the list. */
  private void keepMinP() {
    double least = minP * exponentials[from];
    for (int i = from + 1; i < Math.min(to, count); i++) {
      if (exponentials[i] < least) {
        to = i;
      }
    }
  }

  // ---- the draw ----

  /**
   * The token at which the sum of the weights, in the order of ids, first exceeds the random part
   * of the whole sum. The whole sum is that of the runs of ids, the run of a token is found by
   * those sums, and only then the token in it.
   */
  private int draw(double uniform) {
    int kept = to - from;
    if (kept == 1) {
      return from;
    }
    weigh(kept);
    double whole = 0;
    for (int start = 0; start < kept; ) {
      int end = endOfRun(start, kept);
      whole += sumOfRun(start, end);
      start = end;
    }
    double goal = uniform * whole;
    double before = 0;
    int start = 0;
    int end = endOfRun(0, kept);
    double run = sumOfRun(0, end);
    while (!(goal < before + run) && end < kept) {
      before += run;
      start = end;
      end = endOfRun(start, kept);
      run = sumOfRun(start, end);
    }
    int drawn = start;
    for (int i = start; i < end && !(goal < before); i++) {
      if (weights[i] != 0) {
        before += weights[i];
        drawn = i; // the last one, where the lanes' sum was a little larger than this one
      }
    }
    return (int) byId[drawn];
  }

  private void weigh(int kept) {
    for (int i = 0; i < kept; i++) {
      byId[i] = (long) ids[from + i] << Integer.SIZE | from + i;
    }
    Arrays.sort(byId, 0, kept);
    for (int i = 0; i < kept; i++) {
      double exponent = (logits[(int) byId[i]] - logits[from]) * inverseTemperature;
      weights[i] = Exponential.of(exponent);
    }
  }

  private int endOfRun(int start, int kept) {
    long run = byId[start] >> Integer.SIZE + RUN_BITS;
    int end = start + 1;
    while (end < kept && byId[end] >> Integer.SIZE + RUN_BITS == run) {
      end++;
    }
    return end;
  }

  /** Of a device's lanes, of which each sums the ids that are equal modulo their number. */
  private double sumOfRun(int start, int end) {
    Arrays.fill(lanes, 0);
    for (int i = start; i < end; i++) {
      lanes[(int) (byId[i] >> Integer.SIZE) & LANES - 1] += weights[i];
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; lane++) {
        lanes[lane] += lanes[lane + half];
      }
    }
    return lanes[0];
  }
}
