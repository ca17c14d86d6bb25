package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.runtime.DeviceOptions;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** How a model runs: options of all commands that load one. */
final class RunOptions {

  /** Names the instruction set of the kernels, for tests and comparisons. */
  private static final String INSTRUCTION_SET_VARIABLE = "TANDEM_ISA";

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      description =
          "Threads that compute. Default: one per physical core that this process may use.")
  private Optional<Integer> threads = Optional.empty();

  @Option(
      names = {"-c", "--ctx-size"},
      paramLabel = "N",
      description =
          "Tokens that the context holds. Default: what the model was trained for, at most 8192, as"
              + " far as memory allows.")
  private Optional<Integer> context = Optional.empty();

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

  @Option(names = "--no-mmap", description = "Do not map the file: read it into memory.")
  private boolean noMmap;

  /** Threads that compute. */
  int threads() {
    int count = threads.orElseGet(() -> HostResources.ofThisMachine().computeThreads());
    if (count < 1) {
      throw new Main.FailureException("-t: " + count + " threads cannot compute; at least 1");
    }
    return count;
  }

  /** Tokens that one step reads. */
  int batch() {
    if (batch < 1) {
      throw new Main.FailureException(
          "-b: " + batch + " tokens per step are not possible; at least 1");
    }
    return batch;
  }

  /** The device that was asked for, with so many threads. */
  DeviceOptions device(int threads) {
    String isa = Optional.ofNullable(System.getenv(INSTRUCTION_SET_VARIABLE)).orElse("");
    return DeviceOptions.cpu(threads).withInstructionSet(isa);
  }

  /** For one output per step. */
  EngineOptions engine() {
    return new EngineOptions(device(threads()), weights(), kvTokens(), batch(), 1);
  }

  WeightStore.Mode weights() {
    if (!noRepack) {
      return WeightStore.Mode.TILES;
    }
    return noMmap ? WeightStore.Mode.PLAIN : WeightStore.Mode.MAPPED;
  }

  private OptionalInt kvTokens() {
    return context.map(OptionalInt::of).orElse(OptionalInt.empty());
  }
}
