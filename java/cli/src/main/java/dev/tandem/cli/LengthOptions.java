package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.model.Model;
import dev.tandem.text.StopStrings;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How long a text can get: options of all commands that generate one. */
final class LengthOptions {

  private static final int UNTIL_END = -1;

  @Option(
      names = {"-n", "--predict"},
      paramLabel = "N",
      description =
          "Most tokens to generate. Default: ${DEFAULT-VALUE}, until the model ends its text or the"
              + " context is full.",
      defaultValue = "-1")
  private int predict;

  @Option(
      names = {"-c", "--ctx-size"},
      paramLabel = "N",
      description =
          "Tokens that prompt and answer can have together. Default: what the model was trained"
              + " for, at most 8192, as far as memory allows.")
  private Optional<Integer> context = Optional.empty();

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End before this text, which is not printed. May be given several times.")
  private List<String> stop = List.of();

  /** Most tokens to generate. */
  int mostTokens() {
    if (predict < UNTIL_END) {
      throw Failure.value("-n", predict, "from 0 on, or -1 until the text ends");
    }
    return predict == UNTIL_END ? GenerationOptions.UNLIMITED : predict;
  }

  /** Texts that end the text. */
  List<String> stop() {
    if (stop.contains("")) {
      throw Failure.usage("--stop has an empty text, which is everywhere: leave it out");
    }
    if (stop.size() > StopStrings.MOST) {
      throw Failure.usage(
          "--stop is there %d times: at most %d are possible"
              .formatted(stop.size(), StopStrings.MOST));
    }
    return stop;
  }

  /** With the context that was asked for. */
  EngineOptions engine(RunOptions run) {
    EngineOptions options = run.engine();
    if (context.isEmpty()) {
      return options;
    }
    if (context.get() < 1) {
      throw Failure.value("-c", context.get(), "at least 1 token");
    }
    return options.withKvTokens(context.get());
  }

  /** What to say of a context that the model was not made for. */
  Optional<String> warning(Model model) {
    int trained = model.graph().hyperparameters().trainedContext();
    return context
        .filter(tokens -> tokens > trained)
        .map(tokens ->
            "tandem: -c %d is more than the %d tokens that this model was trained for: expect poor text beyond"
                .formatted(tokens, trained));
  }
}
