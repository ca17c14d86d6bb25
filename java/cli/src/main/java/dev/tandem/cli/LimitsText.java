package dev.tandem.cli;

import dev.tandem.cli.Table.Align;
import dev.tandem.engine.calibrate.MachineLimits;
import dev.tandem.runtime.Limit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/** The machine's limits for people and for programs. */
final class LimitsText {

  private LimitsText() {}

  /** What a limit is called: in tables, and in documents with underscores. */
  static String name(Limit limit) {
    return switch (limit) {
      case READ -> "memory read, 2 MiB pages"; // of the CPU
      case READ_SMALL_PAGES -> "memory read, 4 KiB pages";
      case F32 -> "fp32";
      case INT8 -> "int8 dot";
      case BF16 -> "bf16 dot";
      case COPY -> "copies within the device";
      case TO_DEVICE -> "copies to the device";
      case TO_HOST -> "copies to the host";
    };
  }

  /** A line per limit that this machine has. */
  static String of(MachineLimits limits) {
    Table table = new Table(Align.LEFT, Align.RIGHT, Align.LEFT, Align.LEFT);
    for (Limit limit : Limit.values()) {
      OptionalDouble value = limits.of(limit);
      boolean reading = limit == Limit.READ || limit == Limit.READ_SMALL_PAGES;
      if (value.isEmpty()) {
        continue;
      }
      table.row(
          isGpu(limits) ? "device memory, by copies" : name(limit),
          Quantities.fixed(value.getAsDouble() * 1e-9, 1),
          reading ? "GB/s" : limit == Limit.INT8 ? "GOP/s" : "GFLOP/s",
          limit == limits.pages() && !isGpu(limits) ? "(the weights' pages)" : "");
    }
    return table.toString();
  }

  /** Whether they are those of a GPU, of which nothing but reading is measured. */
  private static boolean isGpu(MachineLimits limits) {
    return limits.of(Limit.F32).isEmpty();
  }

  /** Per second; only those that were measured. */
  static Map<String, Object> document(MachineLimits limits) {
    Map<String, Object> document = new LinkedHashMap<>();
    for (Limit limit : Limit.values()) {
      OptionalDouble value = limits.of(limit);
      if (value.isPresent()) {
        document.put(key(limit), value.getAsDouble());
      }
    }
    if (limits.areKnown()) {
      document.put("weights_read_by", key(limits.pages()));
    }
    return document;
  }

  private static String key(Limit limit) {
    return switch (limit) {
      case READ -> "read_2_mib_pages"; // and of a GPU
      case READ_SMALL_PAGES -> "read_4_kib_pages";
      case F32 -> "fp32";
      case INT8 -> "int8";
      case BF16 -> "bf16";
      case COPY -> "copy";
      case TO_DEVICE -> "copy_to_device";
      case TO_HOST -> "copy_to_host";
    };
  }
}
