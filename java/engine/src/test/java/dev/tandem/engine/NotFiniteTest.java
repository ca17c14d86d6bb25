package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Damaged weights are told, not sampled from. */
class NotFiniteTest {
  private static final ModelShape SHAPE =
      new ModelShape("damaged", 2, 64, 4, 2, 16, 96, 300, 512, 10_000, true, 1e-5f);

  @TempDir private Path folder;

  static Stream<Arguments> damages() {
    return Runs.instructionSets().stream()
        .flatMap(set ->
            Stream.of(TensorType.F16, TensorType.Q8_0)
                .flatMap(format ->
                    Stream.of(Float.NaN, Float.POSITIVE_INFINITY)
                        .map(value -> Arguments.arguments(set, format, value))));
  }

  @ParameterizedTest
  @MethodSource("damages")
  void failsTheRun(String instructionSet, TensorType format, float value) {
    Path sound = folder.resolve("sound.gguf");
    SyntheticModel.write(sound, SHAPE, SyntheticModel.Options.of(format));
    float[] norm = new float[SHAPE.width()];
    Arrays.fill(norm, 1);
    norm[17] = value;
    Path damaged =
        new ModelCopy(sound)
            .tensor("blk.1.ffn_norm.weight", norm)
            .write(folder.resolve("damaged.gguf"));
    try (Engine engine = Runs.load(Model.open(damaged), Runs.options(2, instructionSet));
        AbortFlag flag = new AbortFlag()) {
      KvSequence sequence = new KvSequence();
      engine.begin();
      engine.add(sequence, new int[] {1, 2, 3}, 0, 3, Engine.Outputs.LAST);
      RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> engine.run(flag));
      assertEquals(RuntimeFailure.Status.NOT_FINITE, e.status());
      assertTrue(e.getMessage().contains("not finite"), e.getMessage());
      assertEquals(0, sequence.length());
    }
  }
}
