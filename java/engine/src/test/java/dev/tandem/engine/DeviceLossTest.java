package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A device that is lost while a model is loaded, reads prompts or generates: by what is set, the
 * texts go on with the CPU as if nothing had happened, or they fail, and nothing else does. Devices
 * are made by the environment, so each runs in a process of its own.
 */
class DeviceLossTest {

  private static final ModelShape SHAPE =
      new ModelShape("lost", 2, 64, 4, 2, 16, 128, 600, 256, 10_000, true, 1e-5f);
  private static final int TOKENS = 16;
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(512).withStep(24, 4);
  private static final String DEVICE = "emulated:0/host";

  @TempDir static Path folder;
  private static Path file;
  private static List<String> expected;

  @BeforeAll
  static void generateOnTheCpu() {
    EmulatedDeviceTest.needsTheLibrary();
    file = folder.resolve("lost.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    try (TandemModel model = TandemModel.open(file, OPTIONS)) {
      expected = texts(model);
    }
    assertEquals(expected.size(), expected.stream().distinct().count());
  }

  /** The likeliest tokens; draws from whole rows; penalties: each from a prompt of its own. */
  private static List<SamplingOptions> samplings() {
    SamplingOptions hot =
        SamplingOptions.seeded(7).withTemperature(3).withTopK(0).withTopP(1).withMinP(0);
    return List.of(
        SamplingOptions.greedy(),
        hot,
        hot.withSeed(8),
        SamplingOptions.seeded(9).withPenalties(new Penalties(64, 1.3, 0.2, 0.1)));
  }

  /** What comes of generations at the same time: ids, or how it failed. */
  private static List<String> texts(TandemModel model) {
    List<CompletableFuture<String>> texts = new ArrayList<>();
    for (SamplingOptions sampling : samplings()) {
      int length = 3 + 17 * texts.size(); // the longer ones take several steps to be read
      int[] prompt = IntStream.range(0, length).map(i -> (31 * i + length) % 600).toArray();
      texts.add(CompletableFuture.supplyAsync(() -> text(model, prompt, sampling)));
    }
    return texts.stream().map(CompletableFuture::join).toList();
  }

  private static String text(TandemModel model, int[] prompt, SamplingOptions sampling) {
    List<Integer> ids = new ArrayList<>();
    GenerationOptions options = GenerationOptions.of(TOKENS, sampling).ignoringEnd();
    try (Session session = model.newSession()) {
      session.generate(
          prompt,
          options,
          new GenerationListener() {
            @Override
            public void token(int id) {
              ids.add(id);
            }
          });
      return ids.toString();
    } catch (RuntimeFailure e) {
      return e.status() + " " + e.getMessage();
    }
  }

  /** Prints what becomes of a model whose device is lost, and of another one that is not. */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) {
      Path file = Path.of(arguments[0]);
      OnDeviceLoss policy = OnDeviceLoss.valueOf(arguments[1]);
      EngineOptions options =
          OPTIONS.withDevice(OPTIONS.device().withName(DEVICE)).withOnDeviceLoss(policy);
      try (TandemModel other = TandemModel.open(file, OPTIONS)) {
        try (TandemModel model = TandemModel.open(file, options)) {
          if (arguments.length > 2) {
            model.awaitLoaded();
          }
          texts(model).forEach(System.out::println);
          System.out.println("loss " + model.deviceLoss());
          System.out.println("defect " + model.defect().map(Throwable::getMessage));
          System.out.println("device " + model.engine().device().name());
          System.out.println("used " + model.load().kvBlocksUsed());
          System.out.println("again " + text(model, new int[] {5}, SamplingOptions.greedy()));
        } catch (RuntimeFailure e) {
          System.out.println("failed " + e.status() + " " + e.getMessage());
        }
        texts(other).forEach(System.out::println);
      }
    }
  }

  private static List<String> child(String settings, String... arguments)
      throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of(file.toString()));
    words.addAll(List.of(arguments));
    List<String> before =
        List.of("env", "TANDEM_EMULATED=" + settings, "JAVA_TOOL_OPTIONS=", "LC_ALL=C.UTF-8");
    return ChildJvm.run(before, Child.class, words.toArray(String[]::new))
        .lines()
        .filter(line -> !line.contains("WARN") && !line.startsWith("SLF4J"))
        .filter(line -> !line.startsWith("Picked up"))
        .toList();
  }

  /** While it is loaded, while prompts are read, while tokens are generated; all places at once. */
  static IntStream operations() {
    return Runs.LONG ? IntStream.range(1, 900) : IntStream.of(1, 2, 3, 40, 75, 150, 413, 600, 1001);
  }

  @ParameterizedTest
  @MethodSource("operations")
  void theCpuGoesOnWithTheSameTexts(int operation) throws Exception {
    List<String> lines = child("lose-at=" + operation, "CPU");
    assertEquals(expected, lines.subList(0, 4));
    assertTrue(lines.get(4).matches("loss Optional\\[.*emulated:0.* is lost]"), lines::toString);
    assertEquals("defect Optional.empty", lines.get(5));
    assertEquals("device cpu", lines.get(6));
    assertEquals("used 0", lines.get(7), "the cache is whole again");
    assertTrue(lines.get(8).startsWith("again ["), lines::toString);
    assertEquals(expected, lines.subList(9, 13), "another model lives on");
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 40})
  void whoWaitsForTheWholeModelGetsItOnTheCpu(int operation) throws Exception {
    List<String> lines = child("lose-at=" + operation, "CPU", "await");
    assertEquals(expected, lines.subList(0, 4));
    assertEquals("device cpu", lines.get(6));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 40, 600})
  void everythingOnTheDeviceFailsAndNothingElse(int operation) throws Exception {
    List<String> lines = child("lose-at=" + operation, "FAIL");
    if (lines.getFirst().startsWith("failed ")) { // before there was anything to generate with
      assertTrue(lines.getFirst().contains("DEVICE_LOST emulated:0"), lines::toString);
      assertEquals(expected, lines.subList(1, 5));
      return;
    }
    int failed = 0;
    for (int i = 0; i < 4; i++) {
      boolean lost = lines.get(i).startsWith("DEVICE_LOST " + DEVICE);
      assertTrue(lost || lines.get(i).equals(expected.get(i)), lines.get(i));
      failed += lost ? 1 : 0;
    }
    assertTrue(failed > 0, lines::toString);
    assertEquals("loss Optional.empty", lines.get(4));
    assertTrue(lines.get(5).contains("is lost"), lines.get(5));
    assertEquals("device " + DEVICE, lines.get(6));
    assertTrue(lines.get(8).startsWith("again DEVICE_LOST " + DEVICE), lines.get(8));
    assertEquals(expected, lines.subList(9, 13));
  }

  @Test
  void withoutALossNothingChanges() throws Exception {
    List<String> lines = child("lose-at=1000000", "CPU");
    assertEquals(expected, lines.subList(0, 4));
    assertEquals("loss " + Optional.empty(), lines.get(4));
    assertEquals("device " + DEVICE, lines.get(6));
    assertFalse(lines.toString().contains("lost"));
  }
}
