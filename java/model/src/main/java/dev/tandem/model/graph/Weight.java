package dev.tandem.model.graph;

import dev.tandem.model.format.TensorType;

/**
 * A weight tensor as an operator reads it.
 *
 * @param name its name in the file
 * @param rows output rows of a matrix; 1 for a vector
 * @param columns elements of a row
 */
public record Weight(String name, TensorType type, int rows, int columns) {

  /** Bytes as the file stores it. */
  public long bytes() {
    return Math.multiplyExact((long) rows, type.rowBytes(columns));
  }

  public long elements() {
    return (long) rows * columns;
  }
}
