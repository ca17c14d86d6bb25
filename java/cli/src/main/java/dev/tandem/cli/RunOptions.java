package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.program.WeightStore;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How a model runs: options of all commands that load one. */
final class RunOptions {

  @Mixin private DeviceArguments device;

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
    return device.engine().withWeights(weights()).withStep(batch(), 1).withFastF16(fastF16);
  }

  private WeightStore.Mode weights() {
    if (!noRepack) {
      return WeightStore.Mode.TILES;
    }
    return noMmap ? WeightStore.Mode.PLAIN : WeightStore.Mode.MAPPED;
  }
}
