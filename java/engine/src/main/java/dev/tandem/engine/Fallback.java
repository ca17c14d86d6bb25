package dev.tandem.engine;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;

/**
 * Brings a model from a device that is lost to the CPU, where the options say so.
 *
 * @param options those of the device
 */
record Fallback(Model model, EngineOptions options) {

  private static final String CPU = "cpu";

  /** Whether this failure is one that the CPU can help with. */
  boolean isFor(Throwable failure) {
    return isLoss(failure)
        && options.onDeviceLoss() == OnDeviceLoss.CPU
        && !options.device().name().equals(CPU);
  }

  /** Whether a device has failed for good. */
  static boolean isLoss(Throwable failure) {
    return failure instanceof RuntimeFailure f && f.status() == RuntimeFailure.Status.DEVICE_LOST;
  }

  /** Begins to load on the CPU what could not begin on the device. */
  Engine instead(RuntimeFailure failure, WeightStore.Progress progress) {
    return load(failure, options, progress);
  }

  /**
   * The same engine on the CPU, with a cache of the same size; weights are on their way.
   *
   * @throws EngineException if the CPU cannot take it
   */
  Engine after(Engine lost, RuntimeFailure failure) {
    return load(failure, options.withKvTokens(lost.kvTokens()), (loaded, total) -> {});
  }

  private Engine load(RuntimeFailure failure, EngineOptions sizes, WeightStore.Progress progress) {
    TandemModel.warnOfLoss(model, failure);
    DeviceOptions cpu = options.device().withName(CPU).withMemoryLimit(0);
    try {
      return Engine.load(model, sizes.withDevice(cpu), progress);
    } catch (EngineException | RuntimeFailure e) {
      throw new EngineException(
          failure.getMessage() + "; and the CPU cannot take over: " + e.getMessage());
    }
  }
}
