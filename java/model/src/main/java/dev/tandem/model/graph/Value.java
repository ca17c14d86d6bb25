package dev.tandem.model.graph;

/**
 * A value that flows from one operator to others: rows of float32.
 *
 * @param id its place in {@link OperatorGraph#values()}
 * @param rows what a row stands for
 * @param width elements of a row
 */
public record Value(int id, Rows rows, int width) {

  /** What the rows of a value stand for. */
  public enum Rows {
    /** One row per token of the step. */
    TOKENS,
    /** One row per token whose logits are wanted. */
    OUTPUTS;

    /** How many rows a workload has. */
    public int count(Workload workload) {
      return this == TOKENS ? workload.tokens() : workload.outputs();
    }
  }

  /** Bytes of all rows for a workload. */
  double bytes(Workload workload) {
    return 4.0 * rows.count(workload) * width;
  }
}
