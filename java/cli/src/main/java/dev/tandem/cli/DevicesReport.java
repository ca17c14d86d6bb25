package dev.tandem.cli;

import static dev.tandem.cli.Table.Column.left;
import static dev.tandem.cli.Table.Column.right;
import static dev.tandem.cli.Table.NOTHING;

import dev.tandem.cli.Table.Column;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.runtime.Gpu;
import dev.tandem.runtime.Limit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** The devices of a machine, for people and for programs. */
final class DevicesReport {

  /**
   * The CPU as far as this process may use it.
   *
   * @param kernels the instruction set
   * @param speeds bytes per second
   */
  record Cpu(
      String name,
      String kernels,
      int threads,
      OptionalLong memory,
      OptionalLong available,
      Map<Limit, Double> speeds) {}

  private final boolean measured;
  private final Table table;
  private final List<Object> devices = new ArrayList<>();
  private final Map<String, String> missing = new LinkedHashMap<>();

  /**
   * @param measured whether speeds are part of it
   */
  DevicesReport(boolean measured) {
    this.measured = measured;
    List<Column> columns = new ArrayList<>();
    columns.addAll(List.of(left("device"), left("name"), left("kernels"), right("threads")));
    columns.addAll(List.of(right("memory"), right("free")));
    if (measured) {
      columns.addAll(List.of(right("memory GB/s"), right("to it GB/s"), right("from it GB/s")));
    }
    columns.add(left("driver"));
    table = new Table(columns);
  }

  void add(Cpu cpu) {
    row(
        List.of(speed(cpu.speeds(), Limit.READ), NOTHING, NOTHING),
        "cpu",
        Printable.line(cpu.name()),
        cpu.kernels(),
        Integer.toString(cpu.threads()),
        size(cpu.memory()),
        size(cpu.available()),
        NOTHING);
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("device", "cpu");
    document.put("name", cpu.name());
    document.put("instruction_set", cpu.kernels());
    document.put("threads", cpu.threads());
    cpu.memory().ifPresent(bytes -> document.put("memory_bytes", bytes));
    cpu.available().ifPresent(bytes -> document.put("free_bytes", bytes));
    putSpeeds(document, cpu.speeds());
    devices.add(document);
  }

  /**
   * @param speeds bytes per second
   */
  void add(Gpu gpu, Map<Limit, Double> speeds) {
    boolean usable = gpu.obstacle().isEmpty();
    row(
        List.of(
            speed(speeds, Limit.COPY),
            speed(speeds, Limit.TO_DEVICE),
            speed(speeds, Limit.TO_HOST)),
        gpu.device(),
        Printable.line(gpu.name()),
        gpu.compute() == 0 ? NOTHING : version(gpu.compute(), 10),
        NOTHING,
        MemoryNeed.text(gpu.memoryBytes()),
        usable ? MemoryNeed.text(gpu.freeBytes()) : NOTHING,
        driver(gpu));
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("device", gpu.device());
    document.put("name", gpu.name());
    document.put("usable", usable);
    if (gpu.compute() != 0) {
      document.put("pci", gpu.bus());
      document.put("compute_capability", version(gpu.compute(), 10));
      document.put("driver", gpu.driverRelease());
      document.put("driver_cuda", version(gpu.driver() / 10, 100));
      document.put("library_cuda", version(gpu.runtime() / 10, 100));
    }
    document.put("multiprocessors", gpu.multiprocessors());
    document.put("copy_engines", gpu.copyEngines());
    document.put("l2_bytes", gpu.l2Bytes());
    document.put("memory_bytes", gpu.memoryBytes());
    if (usable) {
      document.put("free_bytes", gpu.freeBytes());
    }
    putSpeeds(document, speeds);
    devices.add(document);
  }

  /** Says why a device, or a kind of them, cannot be used. */
  void miss(String device, String why) {
    missing.put(device, why);
  }

  /** A table, and what is missing. */
  String text() {
    StringBuilder text = new StringBuilder(table.toString());
    missing.forEach((device, why) -> {
      String line = Printable.line(why);
      // The library's sentences often begin by the device's name.
      String name = line.startsWith(device) ? "" : device + ": ";
      text.append(text.indexOf("\n\n") < 0 ? "\n" : "").append(name).append(line).append('\n');
    });
    return text.toString();
  }

  /** The same for programs. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("devices", devices);
    document.put("missing", missing);
    return document;
  }

  /** Cells, with speeds before the last where they are wanted. */
  private void row(List<String> speeds, String... cells) {
    List<String> all = new ArrayList<>(Arrays.asList(cells));
    if (measured) {
      all.addAll(cells.length - 1, speeds);
    }
    table.row(all.toArray(String[]::new));
  }

  private static String driver(Gpu gpu) {
    if (gpu.driver() == 0) {
      return NOTHING;
    }
    String cuda = "CUDA " + version(gpu.driver() / 10, 100);
    return gpu.driverRelease().isEmpty() ? cuda : gpu.driverRelease() + " (" + cuda + ")";
  }

  /** {@code 7.5} for 75 of tenths. */
  private static String version(int number, int parts) {
    return number / parts + "." + number % parts;
  }

  private static String size(OptionalLong bytes) {
    return bytes.isPresent() ? MemoryNeed.text(bytes.getAsLong()) : NOTHING;
  }

  private static String speed(Map<Limit, Double> speeds, Limit limit) {
    Double speed = speeds.get(limit);
    return speed == null ? NOTHING : Quantities.fixed(speed * 1e-9, 1);
  }

  private static void putSpeeds(Map<String, Object> document, Map<Limit, Double> speeds) {
    Map<Limit, String> names =
        Map.of(
            Limit.READ, "read_bytes_per_second",
            Limit.COPY, "copy_bytes_per_second",
            Limit.TO_DEVICE, "to_device_bytes_per_second",
            Limit.TO_HOST, "to_host_bytes_per_second");
    speeds.forEach((limit, speed) -> document.put(names.get(limit), speed));
  }
}
