package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.SyntheticModel.Biases;
import dev.tandem.model.SyntheticModel.Options;
import dev.tandem.model.format.TensorType;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.ReferenceModel;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.ElementType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Against the double-precision reference, with shapes and options that the goldens do not have. */
class ReferenceLogitsTest {
  private static final ModelShape GROUPED =
      new ModelShape("grouped", 3, 256, 4, 2, 64, 512, 300, 4096, 500_000, true, 1e-5f);
  private static final ModelShape NINE_HEADS =
      new ModelShape("nine heads", 2, 288, 9, 3, 32, 352, 331, 4096, 10_000, true, 1e-6f);
  private static final ModelShape WIDE_HEADS =
      new ModelShape("wide heads", 2, 256, 3, 1, 256, 256, 259, 4096, 10_000, false, 1e-5f);
  private static final ModelShape NARROW =
      new ModelShape("narrow", 2, 60, 5, 5, 14, 100, 277, 4096, 10_000, false, 1e-5f);

  private static final int LENGTH = 40;
  private static final int PAST_ONE_PIECE = 280; // attention splits a context in pieces of 256

  private static final Set<TensorType> LONG_SEQUENCES = Set.of(TensorType.F32, TensorType.Q8_0);

  @TempDir private Path folder;

  static Stream<Arguments> models() {
    return Formats.COMPUTED_WITH.stream()
        .flatMap(format -> {
          Options plain = Options.of(format);
          Options all = plain.withBiases(Biases.ALL).withRopeFactors().withSeed(7);
          Options linear = plain.withBiases(Biases.ATTENTION).withLinearScaling(2.5);
          boolean twoPieces = Runs.LONG || LONG_SEQUENCES.contains(format);
          return Stream.of(
                  arguments(GROUPED, all, twoPieces ? PAST_ONE_PIECE : LENGTH),
                  arguments(NINE_HEADS, linear, LENGTH),
                  arguments(WIDE_HEADS, all, LENGTH),
                  arguments(NARROW, all, LENGTH))
              .filter(model -> fits((ModelShape) model.get()[0], format));
        });
  }

  /** Whether the format's blocks divide all rows; else the model would be one of another format. */
  private static boolean fits(ModelShape shape, TensorType format) {
    return Stream.of(shape.width(), shape.queryWidth(), shape.feedForward())
        .allMatch(columns -> columns % format.blockElements() == 0);
  }

  @ParameterizedTest
  @MethodSource("models")
  void agrees(ModelShape shape, Options options, int length) {
    Path file = folder.resolve("model.gguf");
    SyntheticModel.write(file, shape, options);
    Model model = Model.open(file);
    int[] tokens = new SplittableRandom(length).ints(length, 0, shape.vocabulary()).toArray();
    double[][] reference = new ReferenceModel(model).logits(tokens);
    StringBuilder line =
        new StringBuilder("%-10s %-5s".formatted(shape.name(), options.matrices()));
    for (String instructionSet : Runs.instructionSets()) {
      EngineOptions engineOptions = Runs.options(2, instructionSet);
      try (Engine engine = Runs.load(model, engineOptions, WeightStore.Mode.TILES)) {
        double tolerance = tolerance(engine.device(), shape, options.matrices());
        double margin = margin(reference, tolerance);
        Agreement agreement = Agreement.of(Runs.logits(engine, tokens), reference, margin);
        line.append("  %s %.1e of %.1e".formatted(instructionSet, agreement.error(), tolerance));
        String what = line + ": " + agreement;
        assertTrue(agreement.error() <= tolerance, what);
        assertEquals(0, agreement.wrongRows(), what);
      }
    }
    System.out.println(line);
  }

  /**
   * What rounding explains. Relative variances, of values whose logarithm is spread evenly over a
   * binade: f16 has steps of 2^-10 of the power of two below a value, 2^-20 / 12 of its square,
   * 0.54 on average over the binade; bf16 likewise with 2^-7. Int8 blocks of 32 normal values have
   * steps of their largest magnitude, 2.2 deviations, over 127.
   *
   * <p>A layer rounds keys and values once, and activations before four matmuls; the head rounds
   * once more. No branch of a residual network weighs more than the whole, so that the sum of all
   * is a bound at first order; twice that leaves room for how errors pass through later layers.
   */
  private static double tolerance(Device device, ModelShape shape, TensorType format) {
    double binade = 0.54 / 12;
    ElementType activations =
        device.activationType(ElementType.ofWeight(format.id()).orElseThrow());
    double rounding =
        switch (activations) {
          case ACT8 -> Math.pow(2.2 / 127, 2) / 12;
          case ACTBF16 -> Math.pow(2, -14) * binade;
          default -> Math.pow(2, -40); // float32: sums of some hundred products
        };
    double cache = Math.pow(2, -20) * binade;
    return 2 * ((4 * shape.layers() + 1) * rounding + 2 * shape.layers() * cache);
  }

  /** A lead that errors of the tolerated size do not turn: eight of their deviations. */
  private static double margin(double[][] reference, double tolerance) {
    double meanSquare =
        Arrays.stream(reference)
            .flatMapToDouble(Arrays::stream)
            .map(x -> x * x)
            .average()
            .orElse(0);
    return 8 * Math.sqrt(tolerance * meanSquare);
  }
}
