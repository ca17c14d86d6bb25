package dev.tandem.text.chat;

/**
 * The indices that {@code sequence[from:to:step]} takes, as in Python.
 *
 * @param start the first
 * @param step from one to the next, never zero
 * @param size how many there are
 */
record SliceRange(long start, long step, int size) {
  static SliceRange of(int length, Object from, Object to, Object step) {
    long by = step instanceof None ? 1 : boundary(step);
    if (by == 0) {
      throw new TemplateFault("the step of a slice is zero");
    }
    long lowest = by > 0 ? 0 : -1;
    long highest = by > 0 ? length : length - 1L;
    long start = by > 0 ? lowest : highest;
    long end = by > 0 ? highest : lowest;
    if (!(from instanceof None)) {
      start = clamped(boundary(from), length, lowest, highest);
    }
    if (!(to instanceof None)) {
      end = clamped(boundary(to), length, lowest, highest);
    }
    long size = by > 0 ? (end - start + by - 1) / by : (start - end - by - 1) / -by;
    return new SliceRange(start, by, (int) Math.max(0, size));
  }

  int at(int i) {
    return (int) (start + i * step);
  }

  private static long clamped(long index, long length, long lowest, long highest) {
    return Math.clamp(index < 0 ? index + length : index, lowest, highest);
  }

  private static long boundary(Object value) {
    long boundary =
        Operators.integer(value)
            .orElseThrow(
                () -> new TemplateFault("a slice has " + Operators.kind(value) + " as a boundary"));
    // Wide enough for any text, and no sum overflows.
    return Math.clamp(boundary, Integer.MIN_VALUE, Integer.MAX_VALUE);
  }
}
