package dev.tandem.engine.program;

/**
 * What one step can hold.
 *
 * @param tokens tokens that go through the layers
 * @param outputs rows for which logits are computed
 * @param tableEntries block numbers, of all sequences together
 * @param adjustments penalties and biases of each output
 */
public record StepCapacity(int tokens, int outputs, int tableEntries, int adjustments) {

  /** More tokens than this in a step gain nothing. */
  public static final int MOST_TOKENS = 1 << 16;

  public StepCapacity {
    if (tokens < 1 || tokens > MOST_TOKENS || outputs < 1 || outputs > tokens || tableEntries < 1) {
      throw new IllegalArgumentException(
          "a step of %d tokens, %d outputs and %d table entries is not possible; 1 to %d tokens are"
              .formatted(tokens, outputs, tableEntries, MOST_TOKENS));
    }
    if (adjustments < 1) {
      throw new IllegalArgumentException(
          "adjustments: " + adjustments + " for each output are not possible; at least 1 is");
    }
  }
}
