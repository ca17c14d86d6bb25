package dev.tandem.engine.calibrate;

import dev.tandem.model.graph.Workload;

/**
 * A step as far as its kernels' times depend on it. Its sequences are of equal length, and each has
 * its last token's logits computed.
 *
 * @param sequences how many there are
 * @param tokensEach new tokens of each sequence: 1 when decoding
 * @param depth positions that each has in its cache before
 */
public record StepShape(int sequences, int tokensEach, int depth) {

  private static final long MOST_POSITIONS = Integer.MAX_VALUE;

  public StepShape {
    if (sequences < 1
        || tokensEach < 1
        || depth < 0
        || ((long) depth + tokensEach) * sequences > MOST_POSITIONS) {
      throw new IllegalArgumentException(
          "a step of %d sequences, %d tokens each, behind %d others is not possible: at most %d"
                  .formatted(sequences, tokensEach, depth, MOST_POSITIONS)
              + " positions in all");
    }
  }

  /** Sequences that decode one token each. */
  public static StepShape decode(int sequences, int depth) {
    return new StepShape(sequences, 1, depth);
  }

  /** One sequence that reads. */
  public static StepShape prefill(int tokens, int depth) {
    return new StepShape(1, tokens, depth);
  }

  /** Tokens of the step. */
  public int tokens() {
    return sequences * tokensEach;
  }

  /** Positions of a sequence when the step is done. */
  public int context() {
    return depth + tokensEach;
  }

  /** What the costs of operators are functions of. */
  public Workload workload() {
    return new Workload(tokens(), sequences, (long) sequences * context(), sequences);
  }
}
