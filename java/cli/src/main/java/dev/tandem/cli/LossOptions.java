package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.OnDeviceLoss;
import dev.tandem.engine.TandemModel;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import picocli.CommandLine.Option;

/** What to do about a device that fails for good: for commands that generate texts. */
final class LossOptions {

  @Option(
      names = "--on-device-loss",
      paramLabel = "WHAT",
      description =
          "When a GPU fails for good: fail, or cpu: load the model again, on the CPU, and go on"
              + " with the text where it stopped. Default: ${DEFAULT-VALUE}.",
      completionCandidates = Choices.class,
      defaultValue = "fail")
  private OnDeviceLoss onDeviceLoss;

  private boolean told;

  EngineOptions in(EngineOptions options) {
    return options.withOnDeviceLoss(onDeviceLoss);
  }

  /** Says, once, that the model went on elsewhere. */
  void tell(TandemModel model, Streams streams) {
    if (!told && model.deviceLoss().isPresent()) {
      told = true;
      streams.note("tandem: " + model.deviceLoss().get() + ": went on with the CPU");
    }
  }

  /** As they are typed. */
  private static final class Choices implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Arrays.stream(OnDeviceLoss.values())
          .map(choice -> choice.name().toLowerCase(Locale.ROOT))
          .iterator();
    }
  }
}
