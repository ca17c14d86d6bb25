package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.Golden;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole models on a device whose memory the host does not see. With the CPU's kernels its logits
 * have the same bits; what is tested is all else: loading, the step block, the order of operations
 * in streams. With the kernels for GPUs, under the emulator, they agree within tolerances.
 */
class EmulatedDeviceTest {

  private static final String WITH_THE_CPUS_KERNELS = "emulated:0/host";
  private static final String WITH_KERNELS_FOR_GPUS = "emulated:0/cuda";

  @BeforeAll
  static void needsTheLibrary() {
    try {
      Device.open(DeviceOptions.cpu(1).withName(WITH_THE_CPUS_KERNELS)).close();
    } catch (RuntimeFailure e) {
      if (!e.getMessage().contains("this installation has no")) {
        throw e;
      }
      abort("needs Boost.Context (ci/setup --tests): " + e.getMessage());
    }
  }

  private static EngineOptions on(String device) {
    return EngineOptions.of(DeviceOptions.cpu(2).withName(device))
        .withKvTokens(1024)
        .withStep(64, 64);
  }

  private static Model story() {
    return Model.open(TestData.path("models/stories.gguf"));
  }

  private static Model smol() {
    return Model.open(TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
  }

  static List<Golden> goldens() {
    return GoldenLogitsTest.supported().toList();
  }

  // ---- with the CPU's kernels ----

  @ParameterizedTest
  @MethodSource("goldens")
  void goldenModelsHaveTheSameLogits(Golden golden) {
    assertSameLogits(Model.open(golden.model()), Golden.tokens());
  }

  @Test
  void aRealModelHasTheSameLogits() {
    assertSameLogits(smol(), new int[] {1, 4093, 198, 1780, 338, 260, 5132, 282, 4649, 47, 2});
  }

  private static void assertSameLogits(Model model, int[] tokens) {
    try (Engine cpu = Runs.load(model, on("cpu"));
        Engine emulated = Runs.load(model, on(WITH_THE_CPUS_KERNELS))) {
      assertEquals(WITH_THE_CPUS_KERNELS, emulated.device().name());
      double[][] expected = Runs.logits(cpu, tokens);
      assertArrayEquals(expected, Runs.logits(emulated, tokens));
      assertArrayEquals(expected, Runs.logits(emulated, tokens, 3), "in small steps");
    }
  }

  // ---- with the kernels for GPUs ----

  /** Within the CPU's tolerances; and a token's logits are the same alone as among others. */
  @ParameterizedTest
  @MethodSource("goldens")
  void goldenModelsAgree(Golden golden) {
    try (Engine engine = Runs.load(Model.open(golden.model()), on(WITH_KERNELS_FOR_GPUS))) {
      double[][] ours = Runs.logits(engine, Golden.tokens());
      Agreement agreement = Agreement.of(ours, golden.logits(), Golden.MARGIN);
      String what = golden + ": " + agreement;
      System.out.println(WITH_KERNELS_FOR_GPUS + " " + what);
      assertTrue(agreement.error() <= golden.tolerance(), what);
      assertEquals(0, agreement.wrongRows(), what);
      for (int stepTokens : new int[] {1, 5}) {
        double[][] inSteps = Runs.logits(engine, Golden.tokens(), stepTokens);
        assertArrayEquals(ours, inSteps, golden + " in steps of " + stepTokens);
      }
    }
  }

  @Test
  void aShortPromptOfARealModelIsAsOnTheCpu() {
    int[] tokens = {1, 4093, 198, 1780, 338};
    try (Engine cpu = Runs.load(smol(), on("cpu"));
        Engine gpu = Runs.load(smol(), on(WITH_KERNELS_FOR_GPUS))) {
      double[][] expected = Runs.logits(cpu, tokens);
      Agreement agreement = Agreement.of(Runs.logits(gpu, tokens), expected, Golden.MARGIN);
      System.out.println(WITH_KERNELS_FOR_GPUS + " SmolLM2: " + agreement);
      assertTrue(agreement.error() <= 0.01, agreement.toString());
      assertEquals(0, agreement.wrongRows(), agreement.toString());
    }
  }

  @Test
  void theStoryModelTellsTheSameStory() {
    int[] tokens = {1, 2, 3, 4, 5, 6, 7, 8};
    try (Engine cpu = Runs.load(story(), on("cpu"));
        Engine gpu = Runs.load(story(), on(WITH_KERNELS_FOR_GPUS))) {
      double[][] expected = Runs.logits(cpu, tokens);
      double[][] ours = Runs.logits(gpu, tokens);
      for (int i = 0; i < tokens.length; i++) {
        assertEquals(best(expected[i]), best(ours[i]), "after token " + i);
      }
    }
  }

  private static int best(double[] logits) {
    double most = Arrays.stream(logits).max().orElseThrow();
    for (int i = 0; ; i++) {
      if (logits[i] == most) {
        return i;
      }
    }
  }

  // ---- with either ----

  /** Kernels for GPUs want tiles, and none can read the host's memory. */
  @ParameterizedTest
  @ValueSource(strings = {WITH_THE_CPUS_KERNELS, WITH_KERNELS_FOR_GPUS})
  void mappedWeightsAreRefused(String device) {
    Model story = story(); // skips the test where it is absent
    EngineOptions mapped = on(device).withWeights(WeightStore.Mode.MAPPED);
    RuntimeFailure failure =
        assertThrows(RuntimeFailure.class, () -> Runs.load(story, mapped).close());
    assertTrue(failure.getMessage().contains("without --no-repack"), failure.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {WITH_THE_CPUS_KERNELS, WITH_KERNELS_FOR_GPUS})
  void aModelThatDoesNotFitIsRefusedAndOthersLiveOn(String device) {
    try (Engine running = Runs.load(story(), on(device))) {
      EngineOptions options = on(device);
      EngineOptions small = options.withDevice(options.device().withMemoryLimit(1 << 20));
      EngineException failure =
          assertThrows(EngineException.class, () -> Runs.load(story(), small).close());
      assertTrue(failure.getMessage().contains("1.0 MiB"), failure.getMessage());
      assertEquals(2, Runs.logits(running, new int[] {1, 2}).length);
    }
  }
}
