package dev.tandem.model.gguf;

import dev.tandem.model.format.TensorType;
import java.util.List;

/**
 * Where a tensor lies and what it is.
 *
 * @param name its name, as {@code blk.0.attn_q.weight}
 * @param type how its elements are stored
 * @param shape one to four sizes, the fastest varying first: a matrix is {@code [columns, rows]}
 * @param part the index of its file in {@link GgufFile#parts()}
 * @param offset its first byte in that file
 * @param bytes its size
 */
public record TensorInfo(
    String name, TensorType type, List<Long> shape, int part, long offset, long bytes) {
  public TensorInfo {
    shape = List.copyOf(shape);
  }

  /** The length of a row, in elements. */
  public long columns() {
    return shape.get(0);
  }

  /** The rows of one matrix; 1 for a vector. */
  public long rows() {
    return shape.size() > 1 ? shape.get(1) : 1;
  }

  /** The number of matrices: the experts of an expert tensor, else 1. */
  public long matrices() {
    return shape.stream().skip(2).reduce(1L, (a, b) -> a * b);
  }

  /** The number of elements. */
  public long elements() {
    return columns() * rows() * matrices();
  }

  /** The bytes of one row. */
  public long rowBytes() {
    return type.rowBytes(columns());
  }

  @Override
  public String toString() {
    return name + " " + type + " " + shape;
  }
}
