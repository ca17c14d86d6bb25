package dev.tandem.engine.schedule;

/**
 * Predicts how long steps take, from those that ran: moving averages of a step that only decodes,
 * and of what every token of a prompt adds.
 */
final class StepTimes {

  private static final double WEIGHT = 0.2; // of the newest step
  private static final int LEAST_MEASURED =
      16; // prompt tokens of a step whose time tells something
  private static final int LEAST = 16; // tokens that a prompt goes on by, whatever it costs
  private static final int FIRST = 128; // tokens, while nothing is known

  private double decodeNanos;
  private double promptTokenNanos;

  /** A step with so many decoding sequences and tokens of prompts took so long. */
  void ran(int decodes, int promptTokens, long nanos) {
    if (promptTokens == 0) {
      decodeNanos = average(decodeNanos, nanos);
    } else if (promptTokens >= LEAST_MEASURED) {
      double decoding = decodes == 0 ? 0 : decodeNanos;
      promptTokenNanos = average(promptTokenNanos, Math.max(0, nanos - decoding) / promptTokens);
    }
  }

  /** Tokens of prompts with which a step that also decodes takes at most so long. */
  int promptTokensWithin(long nanos) {
    if (promptTokenNanos == 0) {
      return FIRST;
    }
    double fitting = (nanos - decodeNanos) / promptTokenNanos;
    return (int) Math.max(LEAST, Math.min(fitting, Integer.MAX_VALUE));
  }

  private static double average(double before, double newest) {
    return before == 0 ? newest : (1 - WEIGHT) * before + WEIGHT * newest;
  }
}
