package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.server.config.Quantity;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** How a model runs: options of all commands that load one. */
final class RunOptions {

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

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      description = "Tokens that one step reads. Default: ${DEFAULT-VALUE}.",
      defaultValue = "512")
  private int batch;

  @Option(
      names = "--no-repack",
      description =
          "Compute from the file's own layout, mapped into memory: ready at once and shared between"
              + " processes, but slower.")
  private boolean noRepack;

  @Option(
      names = "--no-mmap",
      description =
          "With --no-repack: read the file into memory instead. (Else it is read anyway.)")
  private boolean noMmap;

  @Option(
      names = "--fast-f16",
      description =
          "Round F16 weights to BF16 while loading: prompts are read about twice as fast on"
              + " processors that multiply bf16, with BF16's accuracy.")
  private boolean fastF16;

  /** Nobody asks for it: there is no other way of computing yet. */
  @Option(
      names = "--deterministic",
      description =
          "Compute a token the same, to the last bit, whatever is computed beside it. Always so by"
              + " now, on every device and at no cost; kernels to come may be faster without.")
  private boolean deterministic;

  /** Threads that compute. */
  int threads() {
    return threads(threads);
  }

  /** So many threads that compute, or as many as suit this machine. */
  static int threads(Optional<Integer> wanted) {
    int count = wanted.orElseGet(() -> HostResources.ofThisMachine().computeThreads());
    if (count < 1 || count > MOST_THREADS) {
      throw Failure.value("-t", count, "from 1 to " + MOST_THREADS + " threads");
    }
    return count;
  }

  /** Tokens that one step reads. */
  int batch() {
    if (batch < 1 || batch > StepCapacity.MOST_TOKENS) {
      throw Failure.value("-b", batch, "from 1 to " + StepCapacity.MOST_TOKENS + " tokens");
    }
    return batch;
  }

  /** With the default context, for one output per step. */
  EngineOptions engine() {
    if (fastF16 && noRepack) {
      throw Failure.usage(
          "--fast-f16 converts weights while they are loaded: leave out --no-repack");
    }
    DeviceOptions options =
        DeviceOptions.cpu(threads())
            .withName(device(device))
            .withMemoryLimit(gpuMemory(gpuMemory, device))
            .withInstructionSet(instructionSet().orElse(""));
    return new EngineOptions(options, weights(), OptionalInt.empty(), batch(), 1, fastF16);
  }

  /** What could be a device's name; the library knows which there are. */
  static String device(String typed) {
    if (!DEVICE.matcher(typed).matches()) {
      throw Failure.value(
          "--device",
          "'" + Printable.line(typed, 40) + "'",
          "cpu, cuda:0, emulated:0/cuda, emulated:0/host, or another number than 0 ('tandem"
              + " devices' shows the GPUs)");
    }
    return typed;
  }

  static boolean isCpu(String device) {
    return device.equals(CPU);
  }

  /**
   * Bytes that may be taken of a device.
   *
   * @param wanted what was typed
   * @return 0 = what is free
   */
  static long gpuMemory(Optional<String> wanted, String device) {
    if (wanted.isEmpty()) {
      return 0;
    }
    if (isCpu(device)) {
      throw Failure.usage(
          "--gpu-memory is for GPUs, and --device is cpu: name one (--device cuda:0), or leave it"
              + " out");
    }
    long bytes = 0;
    try {
      bytes = Quantity.parseSize(wanted.get());
    } catch (IllegalArgumentException e) {
      // It is refused below.
    }
    if (bytes < LEAST_GPU_MEMORY) {
      throw Failure.value(
          "--gpu-memory",
          "'" + Printable.line(wanted.get(), 40) + "'",
          "a size such as 512MiB or 6GiB, at least 1MiB");
    }
    return bytes;
  }

  /** The instruction set that the environment names. */
  static Optional<String> instructionSet() {
    return Optional.ofNullable(System.getenv(INSTRUCTION_SET_VARIABLE));
  }

  private WeightStore.Mode weights() {
    if (!noRepack) {
      return WeightStore.Mode.TILES;
    }
    return noMmap ? WeightStore.Mode.PLAIN : WeightStore.Mode.MAPPED;
  }
}
