package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.Golden;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole models by the kernels for GPUs, under the emulator. */
class EmulatedKernelsTest {

  private static final String DEVICE = "emulated:0/cuda";

  @BeforeAll
  static void needsTheLibrary() {
    EmulatedDeviceTest.needsTheLibrary();
  }

  private static EngineOptions options() {
    return on(DeviceOptions.cpu(2).withName(DEVICE));
  }

  private static EngineOptions on(DeviceOptions device) {
    return EngineOptions.of(device).withKvTokens(1024).withStep(64, 64);
  }

  static List<Golden> goldens() {
    return GoldenLogitsTest.supported().toList();
  }

  /** Within the CPU's tolerances; and a token's logits are the same alone as among others. */
  @ParameterizedTest
  @MethodSource("goldens")
  void goldenModelsAgree(Golden golden) {
    try (Engine engine = Runs.load(Model.open(golden.model()), options())) {
      double[][] ours = Runs.logits(engine, Golden.tokens());
      Agreement agreement = Agreement.of(ours, golden.logits(), Golden.MARGIN);
      String what = golden + ": " + agreement;
      System.out.println(DEVICE + " " + what);
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
    Model model = Model.open(TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
    int[] tokens = {1, 4093, 198, 1780, 338};
    try (Engine cpu = Runs.load(model, on(DeviceOptions.cpu(2)));
        Engine gpu = Runs.load(model, options())) {
      double[][] expected = Runs.logits(cpu, tokens);
      Agreement agreement = Agreement.of(Runs.logits(gpu, tokens), expected, Golden.MARGIN);
      System.out.println(DEVICE + " SmolLM2: " + agreement);
      assertTrue(agreement.error() <= 0.01, agreement.toString());
      assertEquals(0, agreement.wrongRows(), agreement.toString());
    }
  }

  /** The weights of the story model as its file has them: kernels for GPUs want tiles. */
  @Test
  void mappedWeightsAreRefused() {
    Model model = Model.open(TestData.path("models/stories.gguf"));
    EngineOptions mapped = options().withWeights(WeightStore.Mode.MAPPED);
    RuntimeFailure failure =
        assertThrows(RuntimeFailure.class, () -> Runs.load(model, mapped).close());
    assertTrue(failure.getMessage().contains("without --no-repack"), failure.getMessage());
  }

  @Test
  void theStoryModelTellsTheSameStory() {
    Model model = Model.open(TestData.path("models/stories.gguf"));
    int[] tokens = {1, 2, 3, 4, 5, 6, 7, 8};
    try (Engine cpu = Runs.load(model, on(DeviceOptions.cpu(2)));
        Engine gpu = Runs.load(model, options())) {
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
}
