package dev.tandem.engine;

import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.runtime.DeviceOptions;
import java.util.OptionalInt;

/**
 * How to run a model.
 *
 * @param device where
 * @param weights how its matrices are kept
 * @param kvTokens positions that the KV cache has room for, which all sequences share block by
 *     block, and the most that one of them can have; empty = as many as the model was trained for,
 *     at most {@link #DEFAULT_KV_TOKENS}, as far as memory allows
 * @param stepTokens tokens that one step can take
 * @param stepOutputs rows of logits that one step can compute
 * @param fastF16 keep F16 matrices as BF16: prompts are read about twice as fast where the
 *     processor multiplies bf16, with BF16's accuracy; for tiles only
 * @param onDeviceLoss what becomes of generations if the device is lost
 */
public record EngineOptions(
    DeviceOptions device,
    WeightStore.Mode weights,
    OptionalInt kvTokens,
    int stepTokens,
    int stepOutputs,
    boolean fastF16,
    OnDeviceLoss onDeviceLoss) {

  public static final int DEFAULT_KV_TOKENS = 8192;
  public static final int DEFAULT_STEP_TOKENS = 512;

  /** So many generations run at the same time, if the cache has room for them; others wait. */
  public static final int DEFAULT_STEP_OUTPUTS = 16;

  public EngineOptions {
    if (fastF16 && weights != WeightStore.Mode.TILES) {
      throw new IllegalArgumentException(
          "fastF16 with weights " + weights + ": only TILES are converted while loading");
    }
  }

  /** If the device is lost, generations fail. */
  public EngineOptions(
      DeviceOptions device,
      WeightStore.Mode weights,
      OptionalInt kvTokens,
      int stepTokens,
      int stepOutputs,
      boolean fastF16) {
    this(device, weights, kvTokens, stepTokens, stepOutputs, fastF16, OnDeviceLoss.FAIL);
  }

  /** The usual, on the CPU of this machine: a thread per core that this process may use. */
  public static EngineOptions ofThisMachine() {
    return of(DeviceOptions.cpu(HostResources.ofThisMachine().computeThreads()));
  }

  /** The usual: tiles, default context, 16 generations at the same time. */
  public static EngineOptions of(DeviceOptions device) {
    return new EngineOptions(
        device,
        WeightStore.Mode.TILES,
        OptionalInt.empty(),
        DEFAULT_STEP_TOKENS,
        DEFAULT_STEP_OUTPUTS,
        false);
  }

  public EngineOptions withDevice(DeviceOptions other) {
    return new EngineOptions(
        other, weights, kvTokens, stepTokens, stepOutputs, fastF16, onDeviceLoss);
  }

  public EngineOptions withWeights(WeightStore.Mode mode) {
    return new EngineOptions(
        device, mode, kvTokens, stepTokens, stepOutputs, fastF16, onDeviceLoss);
  }

  public EngineOptions withKvTokens(int tokens) {
    OptionalInt positions = OptionalInt.of(tokens);
    return new EngineOptions(
        device, weights, positions, stepTokens, stepOutputs, fastF16, onDeviceLoss);
  }

  public EngineOptions withStep(int tokens, int outputs) {
    return new EngineOptions(device, weights, kvTokens, tokens, outputs, fastF16, onDeviceLoss);
  }

  public EngineOptions withFastF16(boolean fast) {
    return new EngineOptions(
        device, weights, kvTokens, stepTokens, stepOutputs, fast, onDeviceLoss);
  }

  public EngineOptions withOnDeviceLoss(OnDeviceLoss what) {
    return new EngineOptions(device, weights, kvTokens, stepTokens, stepOutputs, fastF16, what);
  }
}
