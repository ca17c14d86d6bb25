package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.StepBlock;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
  private static final int DRAWS = 100_000;
  private static final ModelShape SHAPE =
      new ModelShape("sampled", 1, 64, 4, 2, 16, 96, 300, 64, 10_000, true, 1e-5f);

  @TempDir private static Path folder;

  private static Engine engine;

  /** Two outputs of a step that has run. */
  private static StepBlock step;

  @BeforeAll
  static void runStep() {
    Path file = folder.resolve("sampled.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F32));
    EngineOptions options = EngineOptions.of(DeviceOptions.cpu(1)).withStep(4, 2);
    engine = Engine.load(Model.open(file), options, (loaded, total) -> {});
    try (AbortFlag flag = new AbortFlag()) {
      engine.begin();
      engine.add(new KvSequence(), new int[] {7, 9}, 0, 2, Engine.Outputs.ALL);
      engine.run(flag);
    }
    step = engine.step();
  }

  @AfterAll
  static void close() {
    engine.close();
  }

  @Test
  void greedyTakesTheBest() {
    Sampler sampler = new Sampler(SamplingOptions.greedy());
    for (int output = 0; output < 2; output++) {
      for (int i = 0; i < 100; i++) {
        assertEquals(step.candidateId(output, 0), sampler.sample(step, output));
      }
    }
    assertFalse(step.candidateId(0, 0) == step.candidateId(1, 0), "two outputs, two answers");
  }

  /** All but no temperature is greedy; nothing overflows on the way there. */
  @ParameterizedTest
  @ValueSource(doubles = {1e-3, 1e-300, Double.MIN_VALUE})
  void coldIsGreedy(double temperature) {
    Sampler sampler = new Sampler(new SamplingOptions(temperature, 256, 1));
    for (int i = 0; i < 100; i++) {
      assertEquals(step.candidateId(0, 0), sampler.sample(step, 0));
    }
  }

  /**
   * Pearson's chi-square of the numbers of draws against the exact probabilities. Its mean is the
   * number of tokens less one, its variance twice that; five deviations are a chance of about one
   * in a million for each seed, and the seeds are fixed.
   */
  @ParameterizedTest
  @CsvSource({"1, 256, 1", "1, 256, 2", "0.7, 40, 3", "0.7, 40, 4", "2.5, 10, 5", "1, 2, 6"})
  void drawsWithTheExactProbabilities(double temperature, int topK, long seed) {
    double[] weights =
        IntStream.range(0, topK)
            .mapToDouble(i -> Math.exp(step.candidateLogit(0, i) / temperature))
            .toArray();
    double sum = Arrays.stream(weights).sum();
    int[] placeOfId = new int[SHAPE.vocabulary()];
    Arrays.fill(placeOfId, -1);
    for (int i = 0; i < topK; i++) {
      placeOfId[step.candidateId(0, i)] = i;
    }
    int[] drawn = new int[topK];
    Sampler sampler = new Sampler(new SamplingOptions(temperature, topK, seed));
    for (int i = 0; i < DRAWS; i++) {
      drawn[placeOfId[sampler.sample(step, 0)]]++; // fails for one that is not among the best
    }
    double chiSquare = 0;
    for (int i = 0; i < topK; i++) {
      double expected = DRAWS * weights[i] / sum;
      assertTrue(expected > 5, "too rare for the test: " + expected);
      chiSquare += (drawn[i] - expected) * (drawn[i] - expected) / expected;
    }
    double freedom = topK - 1;
    assertTrue(
        Math.abs(chiSquare - freedom) < 5 * Math.sqrt(2 * freedom),
        "chi-square " + chiSquare + " with " + freedom + " degrees of freedom, seed " + seed);
  }

  @Test
  void onlyTheBestKOfThem() {
    for (int topK : new int[] {1, 2, 5, 40}) {
      Set<Integer> allowed = new HashSet<>();
      for (int i = 0; i < topK; i++) {
        allowed.add(step.candidateId(0, i));
      }
      Sampler sampler = new Sampler(new SamplingOptions(100, topK, 9)); // all but even
      Set<Integer> drawn = new HashSet<>();
      for (int i = 0; i < 100 * topK; i++) {
        drawn.add(sampler.sample(step, 0));
      }
      assertEquals(allowed, drawn);
    }
  }

  @Test
  void sameSeedSameTokens() {
    int[] first = draws(5);
    assertTrue(Arrays.equals(first, draws(5)));
    assertFalse(Arrays.equals(first, draws(6)));
  }

  private static int[] draws(long seed) {
    Sampler sampler = new Sampler(SamplingOptions.seeded(seed));
    return IntStream.range(0, 50).map(i -> sampler.sample(step, i % 2)).toArray();
  }

  @ParameterizedTest
  @ValueSource(
      doubles = {-1, -0.001, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void temperaturesThatCannotBe(double temperature) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> new SamplingOptions(temperature, 40, 0));
    assertTrue(e.getMessage().contains("temperature: " + temperature), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 257, Integer.MAX_VALUE})
  void numbersOfCandidatesThatCannotBe(int topK) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> new SamplingOptions(1, topK, 0));
    assertTrue(e.getMessage().contains("between 1 and 256"), e.getMessage());
  }
}
