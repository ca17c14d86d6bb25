package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.reference.Golden;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whole models on a device whose memory the host does not see. Its kernels are the CPU's, so its
 * logits have the same bits; what is tested is all else: loading, the step block, the order of
 * operations in streams.
 */
class EmulatedDeviceTest {

  private static final String DEVICE = "emulated:0/host";

  @BeforeAll
  static void needsTheLibrary() {
    try {
      Device.open(device(1)).close();
    } catch (RuntimeFailure e) {
      if (!e.getMessage().contains("this installation has no")) {
        throw e;
      }
      abort("needs Boost.Context (ci/setup --tests): " + e.getMessage());
    }
  }

  private static DeviceOptions device(int threads) {
    return DeviceOptions.cpu(threads).withName(DEVICE);
  }

  private static EngineOptions on(DeviceOptions device) {
    return EngineOptions.of(device).withKvTokens(1024).withStep(64, 64);
  }

  static List<Golden> goldens() {
    return GoldenLogitsTest.supported().toList();
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void goldenModelsHaveTheSameLogits(Golden golden) {
    assertSameLogits(Model.open(golden.model()), Golden.tokens());
  }

  @Test
  void aRealModelHasTheSameLogits() {
    Model model = Model.open(TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
    assertSameLogits(model, new int[] {1, 4093, 198, 1780, 338, 260, 5132, 282, 4649, 47, 2});
  }

  private static void assertSameLogits(Model model, int[] tokens) {
    try (Engine cpu = Runs.load(model, on(DeviceOptions.cpu(2)));
        Engine emulated = Runs.load(model, on(device(2)))) {
      assertEquals(DEVICE, emulated.device().name());
      double[][] expected = Runs.logits(cpu, tokens);
      assertArrayEquals(expected, Runs.logits(emulated, tokens));
      assertArrayEquals(expected, Runs.logits(emulated, tokens, 3), "in small steps");
    }
  }

  @Test
  void mappedWeightsAreRefused() {
    Model model = Model.open(TestData.path("models/stories.gguf"));
    EngineOptions mapped = on(device(1)).withWeights(WeightStore.Mode.MAPPED);
    RuntimeFailure failure =
        assertThrows(RuntimeFailure.class, () -> Runs.load(model, mapped).close());
    assertTrue(failure.getMessage().contains("without --no-repack"), failure.getMessage());
  }

  @Test
  void aModelThatDoesNotFitIsRefusedAndOthersLiveOn() {
    Model model = Model.open(TestData.path("models/stories.gguf"));
    try (Engine running = Runs.load(model, on(device(1)))) {
      DeviceOptions small = device(1).withMemoryLimit(1 << 20);
      EngineException failure =
          assertThrows(EngineException.class, () -> Runs.load(model, on(small)).close());
      assertTrue(failure.getMessage().contains("1.0 MiB"), failure.getMessage());
      assertEquals(2, Runs.logits(running, new int[] {1, 2}).length);
    }
  }
}
