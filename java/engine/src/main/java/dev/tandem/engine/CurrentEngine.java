package dev.tandem.engine;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Optional;

/**
 * The engine that runs a model: the one that was asked for, or, once its device is lost and the
 * options say so ({@link OnDeviceLoss}), one on the CPU. Anybody may ask for it; only the thread
 * that runs the steps changes it.
 */
final class CurrentEngine {

  private static final String CPU = "cpu";

  private final EngineOptions options;
  private volatile Engine engine;
  private volatile Optional<String> loss;

  /**
   * @param options those that the engine was loaded with
   */
  CurrentEngine(Engine engine, EngineOptions options) {
    this(engine, options, Optional.empty());
  }

  private CurrentEngine(Engine engine, EngineOptions options, Optional<String> loss) {
    this.engine = engine;
    this.options = options;
    this.loss = loss;
  }

  /**
   * Begins to load a model, on the CPU if its device is lost meanwhile: see {@link Engine#load}.
   */
  static CurrentEngine load(Model model, EngineOptions options, WeightStore.Progress progress) {
    try {
      return new CurrentEngine(Engine.load(model, options, progress), options);
    } catch (RuntimeFailure e) {
      if (!isLeftFor(e, options)) {
        throw e;
      }
      Engine instead = onTheCpu(model, options, e, progress);
      return new CurrentEngine(instead, options, Optional.of(e.getMessage()));
    }
  }

  /** The engine of now. */
  Engine get() {
    return engine;
  }

  /** Why it is not on the device that was asked for, if it is not. */
  Optional<String> loss() {
    return loss;
  }

  /** Whether a device has failed for good. */
  static boolean isLoss(Throwable failure) {
    return failure instanceof RuntimeFailure f && f.status() == RuntimeFailure.Status.DEVICE_LOST;
  }

  /** Whether this failure is one that the CPU can help with. */
  boolean isLeftFor(Throwable failure) {
    return isLeftFor(failure, options);
  }

  private static boolean isLeftFor(Throwable failure, EngineOptions options) {
    return isLoss(failure)
        && options.onDeviceLoss() == OnDeviceLoss.CPU
        && !options.device().name().equals(CPU);
  }

  /**
   * Takes the same engine on the CPU, with a cache of the same size; weights are on their way.
   *
   * @return the engine before, for the caller to close
   * @throws EngineException if the CPU cannot take over
   */
  Engine leave(RuntimeFailure failure) {
    Engine lost = engine;
    EngineOptions sizes = options.withKvTokens(lost.kvTokens());
    Engine next = onTheCpu(lost.model(), sizes, failure, (loaded, total) -> {});
    loss = Optional.of(failure.getMessage());
    engine = next;
    return lost;
  }

  private static Engine onTheCpu(
      Model model, EngineOptions options, RuntimeFailure failure, WeightStore.Progress progress) {
    TandemModel.warnOfLoss(model, failure);
    DeviceOptions cpu = options.device().withName(CPU).withMemoryLimit(0);
    try {
      return Engine.load(model, options.withDevice(cpu), progress);
    } catch (EngineException | RuntimeFailure e) {
      throw new EngineException(
          failure.getMessage() + "; and the CPU cannot take over: " + e.getMessage());
    }
  }
}
