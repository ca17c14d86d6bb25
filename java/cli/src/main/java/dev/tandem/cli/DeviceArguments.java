package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.server.config.Quantity;
import java.util.Optional;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** What computes: options of all commands that do. */
final class DeviceArguments {

  /** Names the instruction set of the kernels, for tests and comparisons. */
  private static final String INSTRUCTION_SET_VARIABLE = "TANDEM_ISA";

  private static final int MOST_THREADS = 1024;
  private static final String CPU = "cpu";
  private static final Pattern DEVICE =
      Pattern.compile("cpu|cuda:\\d{1,9}|emulated:\\d{1,9}(/cuda|/host)?");
  private static final long LEAST_GPU_MEMORY = 1 << 20;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      description =
          "Threads that compute. Default: one per physical core that this process may use.")
  private Optional<Integer> threads = Optional.empty();

  @Option(
      names = "--device",
      paramLabel = "NAME",
      description = {
        "Where it runs: cpu, cuda:0 (an NVIDIA GPU), or a GPU that the host plays, to try and not"
            + " to be fast: emulated:0/cuda by the kernels for GPUs, emulated:0/host by the CPU's."
            + " Default: ${DEFAULT-VALUE}."
      },
      defaultValue = "cpu")
  private String device;

  @Option(
      names = "--gpu-memory",
      paramLabel = "SIZE",
      description =
          "Most memory of the GPU to take, such as 6GiB. Default: what is free. More than that is"
              + " an error.")
  private Optional<String> gpuMemory = Optional.empty();

  /**
   * The usual on the device that was typed; the library knows which there are. (No device's options
   * by themselves: types in signatures are loaded by the parser, also where nothing runs here.)
   */
  EngineOptions engine() {
    return EngineOptions.of(
        DeviceOptions.cpu(threads())
            .withName(name(device))
            .withMemoryLimit(memoryLimit())
            .withInstructionSet(instructionSet().orElse("")));
  }

  /** Whether it is the CPU. */
  boolean isCpu() {
    return device.equals(CPU);
  }

  /** The instruction set that the environment names. */
  static Optional<String> instructionSet() {
    return Optional.ofNullable(System.getenv(INSTRUCTION_SET_VARIABLE));
  }

  private int threads() {
    int count = threads.orElseGet(() -> HostResources.ofThisMachine().computeThreads());
    if (count < 1 || count > MOST_THREADS) {
      throw Failure.value("-t", count, "from 1 to " + MOST_THREADS + " threads");
    }
    return count;
  }

  /** What could be a device's name; the library knows which there are. */
  static String name(String typed) {
    if (!DEVICE.matcher(typed).matches()) {
      throw Failure.value(
          "--device",
          "'" + Printable.line(typed, 40) + "'",
          "cpu, cuda:0, emulated:0/cuda, emulated:0/host, or another number than 0 ('tandem"
              + " devices' shows the GPUs)");
    }
    return typed;
  }

  /** Bytes; 0 = what is free. */
  private long memoryLimit() {
    if (gpuMemory.isEmpty()) {
      return 0;
    }
    if (isCpu()) {
      throw Failure.usage(
          "--gpu-memory is for GPUs, and --device is cpu: name one (--device cuda:0), or leave it"
              + " out");
    }
    long bytes = 0;
    try {
      bytes = Quantity.parseSize(gpuMemory.get());
    } catch (IllegalArgumentException e) {
      // It is refused below.
    }
    if (bytes < LEAST_GPU_MEMORY) {
      throw Failure.value(
          "--gpu-memory",
          "'" + Printable.line(gpuMemory.get(), 40) + "'",
          "a size such as 512MiB or 6GiB, at least 1MiB");
    }
    return bytes;
  }
}
