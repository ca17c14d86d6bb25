package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Samplers and an engine together. */
class SamplingTest {
  private static final int TOKENS = 40;
  private static final ModelShape SHAPE =
      new ModelShape("sampled", 1, 64, 4, 2, 16, 96, 900, 256, 10_000, true, 1e-5f);

  /** Drawn from candidates, drawn from the row, filtered there, and adjusted in all ways. */
  private static final List<SamplingOptions> OPTIONS =
      List.of(
          SamplingOptions.greedy(),
          SamplingOptions.seeded(3),
          SamplingOptions.plain(4),
          SamplingOptions.plain(5).withTopP(0.98),
          SamplingOptions.plain(6)
              .withPenalties(new Penalties(16, 1.2, 0.3, 0.2))
              .withLogitBias(Map.of(7, 2f))
              .withBanned(8, 9, 10),
          SamplingOptions.seeded(7).withPenalties(Penalties.NONE.withRepeat(1.3)));

  @TempDir private static Path folder;

  private static Model model;
  private static AbortFlag flag;

  @BeforeAll
  static void writeModel() {
    Path file = folder.resolve("sampled.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    model = Model.open(file);
    flag = new AbortFlag();
  }

  @AfterAll
  static void close() {
    flag.close();
  }

  static List<String> instructionSets() {
    return Runs.instructionSets();
  }

  /** A text does not depend on company: all at once, their draws made together, or one by one. */
  @ParameterizedTest
  @MethodSource("instructionSets")
  void textsOfManyAreThoseOfEachAlone(String instructionSet) {
    int[][] alone = new int[OPTIONS.size()][];
    try (Engine engine = Runs.load(model, Runs.options(1, instructionSet))) {
      for (int i = 0; i < alone.length; i++) {
        alone[i] = generate(engine, OPTIONS.subList(i, i + 1))[0];
      }
    }
    for (int[] ids : alone) {
      assertTrue(Arrays.stream(ids).distinct().count() > 1, () -> Arrays.toString(ids));
    }
    try (Engine engine = Runs.load(model, Runs.options(3, instructionSet))) {
      int[][] together = generate(engine, OPTIONS);
      for (int i = 0; i < alone.length; i++) {
        assertArrayEquals(alone[i], together[i], OPTIONS.get(i).toString());
      }
    }
  }

  private static int[][] generate(Engine engine, List<SamplingOptions> options) {
    int count = options.size();
    KvSequence[] sequences = new KvSequence[count];
    Sampler[] samplers = new Sampler[count];
    int[][] texts = new int[count][TOKENS];
    int[] next = new int[count];
    for (int i = 0; i < count; i++) {
      sequences[i] = new KvSequence();
      samplers[i] = new Sampler(options.get(i), engine.vocabulary());
      next[i] = 100;
      samplers[i].accept(next[i]);
    }
    for (int token = 0; token < TOKENS; token++) {
      engine.begin();
      for (int i = 0; i < count; i++) {
        samplers[i].adjust(
            engine.step(), engine.add(sequences[i], next, i, 1, Engine.Outputs.LAST));
      }
      engine.run(flag);
      for (int i = 0; i < count; i++) {
        next[i] = samplers[i].sample(engine.step(), i);
      }
      engine.pick(flag);
      for (int i = 0; i < count; i++) {
        next[i] = next[i] == Sampler.PENDING ? samplers[i].picked(engine.step()) : next[i];
        samplers[i].accept(next[i]);
        texts[i][token] = next[i];
      }
    }
    for (KvSequence sequence : sequences) {
      engine.cache().release(sequence);
    }
    return texts;
  }

  @Test
  void logitsThatAreReadAreTheAdjustedOnes() {
    try (Engine engine = Runs.load(model, Runs.options(1, ""))) {
      double[] plain = Runs.logits(engine, new int[] {100})[0];
      KvSequence sequence = new KvSequence();
      engine.begin();
      engine.add(sequence, new int[] {100}, 0, 1, Engine.Outputs.LAST);
      engine.step().adjust(0, 5, 1, 3);
      engine.run(flag);
      double[] adjusted = Runs.row(engine, 0);
      assertEquals((float) plain[5] + 3, adjusted[5], 1e-5);
      adjusted[5] = plain[5];
      assertArrayEquals(plain, adjusted);
      // The next step knows nothing of it.
      engine.cache().release(sequence);
      assertArrayEquals(plain, Runs.logits(engine, new int[] {100})[0]);
    }
  }

  @Test
  void aDrawThatWasAbortedCanBeRepeated() {
    try (Engine engine = Runs.load(model, Runs.options(1, ""))) {
      int expected = generate(engine, List.of(SamplingOptions.plain(4)))[0][0];
      Sampler sampler = new Sampler(SamplingOptions.plain(4), engine.vocabulary());
      engine.begin();
      engine.add(new KvSequence(), new int[] {100}, 0, 1, Engine.Outputs.LAST);
      engine.run(flag);
      flag.set();
      RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> engine.sample(sampler, 0, flag));
      assertEquals(RuntimeFailure.Status.ABORTED, e.status());
      flag.clear();
      engine.pick(flag);
      assertEquals(expected, sampler.picked(engine.step()));
    }
  }

  @Test
  void moreDrawsThanAStepHasOutputs() {
    EngineOptions options = Runs.options(1, "").withStep(1, 1);
    try (Engine engine = Runs.load(model, options)) {
      Sampler sampler = new Sampler(SamplingOptions.plain(4), engine.vocabulary());
      engine.begin();
      engine.add(new KvSequence(), new int[] {100}, 0, 1, Engine.Outputs.LAST);
      engine.run(flag);
      engine.sample(sampler, 0, flag);
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> engine.sample(sampler, 0, flag));
      assertEquals("the step is full: at most 1 draws", e.getMessage());
    }
  }
}
