package dev.tandem.engine;

/**
 * What a model takes of a device's memory, in bytes.
 *
 * @param weights all weights that are loaded (mapped files do not count)
 * @param kv the whole KV cache; it is taken page by page as it is used
 * @param work activations, logits and the step block
 */
public record MemoryNeed(long weights, long kv, long work) {

  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB"};

  public long total() {
    return weights + kv + work;
  }

  /** For people: {@code 5.2 GiB (weights 4.3 GiB, KV cache 0.8 GiB, work 0.1 GiB)}. */
  @Override
  public String toString() {
    return text(total())
        + " (weights "
        + text(weights)
        + ", KV cache "
        + text(kv)
        + ", work "
        + text(work)
        + ")";
  }

  /**
   * {@code 1.5 GiB}. Without {@link String#format}: this is told at every start, and the first use
   * of that one takes longer than a token.
   */
  public static String text(long bytes) {
    if (bytes < 1024) {
      return bytes + " bytes";
    }
    double value = bytes / 1024.0;
    int unit = 0;
    // Not 1024: what is rounded to it gets the next unit.
    while (value >= 1023.95 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    long tenths = Math.round(10 * value);
    return tenths / 10 + "." + tenths % 10 + " " + UNITS[unit];
  }
}
