package dev.tandem.model.graph;

/**
 * What a step has to do, as far as costs depend on it.
 *
 * @param tokens tokens that go through the layers
 * @param sequences sequences that these tokens belong to; at least 1 where there are tokens
 * @param contexts sum over the sequences of their length when the step is done
 * @param outputs rows for which logits are wanted
 */
public record Workload(int tokens, int sequences, long contexts, int outputs) {

  public Workload {
    if (tokens < 0
        || sequences < Math.min(tokens, 1)
        || sequences > tokens
        || contexts < tokens
        || outputs < 0
        || outputs > tokens) {
      throw new IllegalArgumentException(
          "workload: %d tokens of %d sequences, contexts %d, outputs %d are not possible together"
              .formatted(tokens, sequences, contexts, outputs));
    }
  }

  /**
   * One sequence that reads {@code tokens} tokens after {@code past} others and wants one output.
   */
  public static Workload prefill(int tokens, int past) {
    return new Workload(tokens, 1, (long) past + tokens, 1);
  }

  /** {@code sequences} sequences of length {@code context} that decode one token each. */
  public static Workload decode(int sequences, int context) {
    return new Workload(sequences, sequences, (long) sequences * context, sequences);
  }

  /**
   * Pairs of a token and a position that it attends to (itself included), were the tokens spread
   * evenly over the sequences.
   */
  public double attended() {
    if (tokens == 0) {
      return 0;
    }
    double perSequence = (double) tokens / sequences;
    double context = (double) contexts / sequences;
    return sequences * (perSequence * context - perSequence * (perSequence - 1) / 2);
  }
}
