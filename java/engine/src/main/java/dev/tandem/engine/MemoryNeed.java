package dev.tandem.engine;

import java.util.Locale;

/**
 * What a model takes of a device's memory, in bytes.
 *
 * @param weights all weights that are loaded (mapped files do not count)
 * @param kv the whole KV cache; it is taken page by page as it is used
 * @param work activations, logits and the step block
 */
public record MemoryNeed(long weights, long kv, long work) {

  public long total() {
    return weights + kv + work;
  }

  /** For people: {@code 5.2 GiB (weights 4.3 GiB, KV cache 0.8 GiB, work 0.1 GiB)}. */
  @Override
  public String toString() {
    return "%s (weights %s, KV cache %s, work %s)"
        .formatted(text(total()), text(weights), text(kv), text(work));
  }

  /** {@code 1.5 GiB}. */
  public static String text(long bytes) {
    String[] units = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 ? bytes + " bytes" : String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
  }
}
