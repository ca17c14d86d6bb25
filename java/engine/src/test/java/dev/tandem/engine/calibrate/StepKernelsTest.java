package dev.tandem.engine.calibrate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.Limit;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link StepKernels} and {@link KernelRig}. */
class StepKernelsTest {

  private static final ModelShape SHAPE =
      new ModelShape("small", 3, 256, 4, 2, 64, 512, 600, 512, 10_000, false, 1e-5f);
  private static final List<StepShape> STEPS =
      List.of(
          StepShape.decode(1, 0),
          StepShape.decode(3, 40),
          StepShape.prefill(20, 0),
          StepShape.prefill(33, 300));

  @TempDir private Path folder;

  private OperatorGraph graph(TensorType type) {
    Path outline = folder.resolve("outline.gguf");
    SyntheticModel.writer(SHAPE, SyntheticModel.Options.of(type)).writeOutline(outline);
    return Model.open(outline).graph();
  }

  /** Their work is that of the operators; so none was forgotten, and none counted twice. */
  @ParameterizedTest
  @EnumSource(names = {"F16", "Q4_0", "Q6_K", "BF16"})
  void doWhatTheOperatorsDo(TensorType type) {
    OperatorGraph graph = graph(type);
    try (Device device = Device.open(DeviceOptions.cpu(1))) {
      for (StepShape step : STEPS) {
        List<StepKernels.Use> uses = StepKernels.of(device, graph, step);
        double operations =
            uses.stream()
                .filter(use -> !(use.kernel() instanceof Kernel.Encode))
                .mapToDouble(use -> use.calls() * use.kernel().operations())
                .sum();
        double expected = graph.cost(step.workload()).flops();
        assertEquals(expected, operations, 1e-9 * expected, step::toString);
        double weights =
            uses.stream()
                .filter(use -> use.kernel() instanceof Kernel.MatMul)
                .mapToDouble(use -> use.calls() * ((Kernel.MatMul) use.kernel()).weightBytes())
                .sum();
        double matrices =
            graph.operators().stream()
                .filter(o -> o instanceof Operator.MatMul || o instanceof Operator.OutputHead)
                .mapToDouble(o -> o.cost(step.workload()).weightBytes())
                .sum();
        assertEquals(matrices, weights, 0.5, step::toString);
      }
    }
  }

  @Test
  void valuesAreEncodedOnceHoweverManyReadThem() {
    try (Device device = Device.open(DeviceOptions.cpu(1))) {
      List<StepKernels.Use> uses =
          StepKernels.of(device, graph(TensorType.Q4_0), StepShape.decode(1, 0));
      int encodes =
          uses.stream()
              .filter(use -> use.kernel() instanceof Kernel.Encode)
              .mapToInt(StepKernels.Use::calls)
              .sum();
      assertEquals(4 * SHAPE.layers() + 1, encodes); // q k v; output; gate up; down: and the head
    }
  }

  @Test
  void formatsWithoutKernelsAreNamed() {
    try (Device device = Device.open(DeviceOptions.cpu(1))) {
      OperatorGraph graph = graph(TensorType.Q3_K);
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> StepKernels.of(device, graph, StepShape.decode(1, 0)))
              .getMessage();
      assertTrue(message.contains("Q3_K is not supported"), message);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "Q4_K", "BF16"})
  void everyKernelCanBeTimed(TensorType type) {
    OperatorGraph graph = graph(type);
    try (Device device = Device.open(DeviceOptions.cpu(2))) {
      MachineLimits limits = new MachineLimits(device, List.of(Limit.INT8));
      limits.sample();
      for (StepShape step : STEPS) {
        List<Kernel> kernels =
            StepKernels.of(device, graph, step).stream().map(StepKernels.Use::kernel).toList();
        long used = device.memoryUsed();
        try (KernelRig rig = new KernelRig(device, limits, kernels, 1 << 20)) {
          for (Kernel kernel : kernels) {
            double seconds = rig.prepare(kernel).seconds();
            assertTrue(seconds > 1e-9 && seconds < 10, () -> kernel + ": " + seconds);
          }
        }
        assertEquals(used, device.memoryUsed(), "all memory is given back");
      }
    }
  }

  /**
   * Without limits to guess by, a kernel is called ever more often, and gives back what it took.
   */
  @Test
  void everyKernelCanBeTimedWhereNoLimitIsKnown() {
    OperatorGraph graph = graph(TensorType.Q8_0);
    try (Device device = Device.open(DeviceOptions.cpu(2))) {
      MachineLimits none = new MachineLimits(device);
      List<Kernel> kernels =
          StepKernels.of(device, graph, STEPS.getFirst()).stream()
              .map(StepKernels.Use::kernel)
              .toList();
      long used = device.memoryUsed();
      try (KernelRig rig = new KernelRig(device, none, kernels, 1 << 20)) {
        for (Kernel kernel : kernels) {
          double seconds = rig.prepare(kernel).seconds();
          assertTrue(seconds > 1e-9 && seconds < 10, () -> kernel + ": " + seconds);
        }
      }
      assertEquals(used, device.memoryUsed(), "all memory is given back");
    }
  }

  @Test
  void stepsThatCannotBeAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> StepShape.decode(0, 0));
    assertThrows(IllegalArgumentException.class, () -> StepShape.prefill(0, 0));
    assertThrows(IllegalArgumentException.class, () -> StepShape.prefill(1, -1));
  }

  @Test
  void samplesKnowTheirMiddle() {
    Samples samples = new Samples();
    assertThrows(IllegalStateException.class, samples::median);
    for (int i = 0; i < 20; i++) {
      samples.add(20 - i);
    }
    assertEquals(10.5, samples.median());
    assertEquals(10.5, samples.mean());
    assertEquals(Math.sqrt(35), samples.deviation(), 1e-12); // (n^2 + n) / 12 for 1..n
    samples.add(1000);
    assertEquals(11, samples.median());
    assertEquals(21, samples.values().length);
  }
}
