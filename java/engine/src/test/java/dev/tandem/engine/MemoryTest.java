package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a model takes is known before it is loaded, and never more than there is. */
class MemoryTest {
  private static final long MIB = 1 << 20;

  /** 16 KiB of KV cache for a position. */
  private static final ModelShape SHAPE =
      new ModelShape("memory", 4, 512, 8, 8, 128, 1024, 300, 4096, 10_000, true, 1e-5f);

  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withStep(64, 4);

  @TempDir private static Path folder;

  private static Model model;

  @BeforeAll
  static void writeModel() {
    Path file = folder.resolve("memory.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0).withRopeFactors());
    model = Model.open(file);
  }

  @ParameterizedTest
  @EnumSource
  void predictsWhatIsAllocated(WeightStore.Mode mode) {
    try (Engine engine = Runs.load(model, OPTIONS, mode)) {
      int[] tokens = new Random(1).ints(500, 0, SHAPE.vocabulary()).toArray();
      Runs.logits(engine, tokens);
      assertEquals(engine.memory().total(), engine.device().memoryPeak());
      assertEquals(4096, engine.kvTokens());
      assertEquals(4096L * 16 * 1024, engine.memory().kv());
    }
  }

  /** A context of any size that is asked for is predicted to the byte, and fits into just that. */
  @Test
  void fitsExactly() {
    for (int tokens : new int[] {1, 16, 17, 1000, 5000}) {
      EngineOptions options = OPTIONS.withKvTokens(tokens);
      long need;
      try (Engine engine = Runs.load(model, options)) {
        need = engine.memory().total();
      }
      try (Engine engine = load(options, need)) {
        assertEquals(tokens, engine.kvTokens());
      }
      DeviceOptions limited = DeviceOptions.cpu(1).withMemoryLimit(need);
      EngineOptions within =
          new EngineOptions(limited, options.weights(), options.kvTokens(), 64, 4, false);
      Runs.load(model, within).close();
      assertThrows(EngineException.class, () -> load(options, need - 1));
    }
  }

  @Test
  void namesNeedAvailableAndRemedy() {
    EngineException e =
        assertThrows(EngineException.class, () -> load(OPTIONS.withKvTokens(8192), 60 * MIB));
    assertTrue(
        e.getMessage()
            .matches(
                "synthetic memory needs 1[34]\\d\\.\\d MiB \\(weights \\d+\\.\\d MiB, KV cache"
                    + " 128\\.0 MiB, work \\d+\\.\\d [KM]iB\\) of memory, and 60\\.0 MiB are"
                    + " available; choose a context of at most \\d+ tokens \\(-c\\)"),
        e.getMessage());
    int most = Integer.parseInt(e.getMessage().replaceAll(".*at most (\\d+) tokens.*", "$1"));
    load(OPTIONS.withKvTokens(most), 60 * MIB).close();
    assertThrows(EngineException.class, () -> load(OPTIONS.withKvTokens(most + 1), 60 * MIB));
  }

  @Test
  void refusesWeightsThatDoNotFit() {
    EngineException e = assertThrows(EngineException.class, () -> load(OPTIONS, 4 * MIB));
    assertTrue(e.getMessage().contains("and 4.0 MiB are available; free memory"), e.getMessage());
    assertTrue(e.getMessage().contains("--no-repack"), e.getMessage());
  }

  @Test
  void shrinksAContextThatNobodyAskedFor() {
    try (Engine engine = load(OPTIONS, 40 * MIB)) {
      assertTrue(engine.memory().total() <= 40 * MIB, () -> engine.memory().toString());
      assertTrue(engine.memory().total() > 40 * MIB - 2 * 16 * 16 * 1024);
      assertTrue(engine.kvTokens() < 4096);
      assertEquals(engine.memory().total(), engine.device().memoryPeak());
    }
    // Below 256 positions a context is of no use.
    EngineException e = assertThrows(EngineException.class, () -> load(OPTIONS, 14 * MIB));
    assertTrue(e.getMessage().contains("free memory"), e.getMessage());
  }

  @Test
  void theDevicesOwnLimitCountsToo() {
    DeviceOptions limited = DeviceOptions.cpu(2).withMemoryLimit(40 * MIB);
    EngineOptions options = EngineOptions.of(limited).withStep(64, 4);
    try (Engine engine = Runs.load(model, options)) {
      assertTrue(engine.memory().total() <= 40 * MIB);
      assertTrue(engine.kvTokens() < 4096);
    }
  }

  @Test
  void refusesContextsThatCannotBe() {
    for (int tokens : new int[] {Integer.MIN_VALUE, -1, 0, Integer.MAX_VALUE}) {
      EngineException e =
          assertThrows(EngineException.class, () -> load(OPTIONS.withKvTokens(tokens), 1L << 40));
      assertTrue(e.getMessage().startsWith("context: " + tokens), e.getMessage());
    }
  }

  /** The kernel's figures: what a process grows by is what was predicted, and little more. */
  @Test
  void residentSizeIsWithinThePrediction() throws IOException, InterruptedException {
    ModelShape shape =
        new ModelShape("resident", 4, 1024, 8, 8, 128, 3072, 32_000, 4096, 10_000, true, 1e-5f);
    Path file = folder.resolve("resident.gguf");
    SyntheticModel.write(file, shape, SyntheticModel.Options.of(TensorType.Q8_0));
    String[] sizes = ChildJvm.run(List.of(), Growth.class, file.toString()).split(" ");
    long predicted = Long.parseLong(sizes[0]);
    long untouched = Long.parseLong(sizes[1]);
    long grown = Long.parseLong(sizes[2]);
    System.out.printf(
        "predicted %d MiB (%d of KV cache untouched), grown by %d MiB%n",
        predicted / MIB, untouched / MIB, grown / MIB);
    // Java's own growth while it loads and runs: heap, compiled code.
    assertTrue(grown <= predicted + 48 * MIB);
    assertTrue(grown >= predicted - untouched - 16 * MIB);
    Files.delete(file);
  }

  /** Loads a model, uses half of its context, and prints how the process grew. */
  static final class Growth {
    private Growth() {}

    public static void main(String[] arguments) throws IOException {
      Model model = Model.open(Path.of(arguments[0]));
      EngineOptions options = EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(1024);
      Runs.instructionSets(); // loads the library
      long before = resident("VmRSS:");
      try (Engine engine = Engine.load(model, options, (loaded, total) -> {})) {
        int[] tokens = new Random(1).ints(512, 0, 32_000).toArray();
        KvSequence sequence = new KvSequence();
        try (AbortFlag flag = new AbortFlag()) {
          engine.begin();
          engine.add(sequence, tokens, 0, tokens.length, Engine.Outputs.LAST);
          engine.run(flag);
        }
        long grown = resident("VmHWM:") - before;
        System.out.println(engine.memory().total() + " " + engine.memory().kv() / 2 + " " + grown);
      }
    }

    private static long resident(String field) throws IOException {
      return Files.readAllLines(Path.of("/proc/self/status")).stream()
          .filter(line -> line.startsWith(field))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElseThrow();
    }
  }

  private static Engine load(EngineOptions options, long available) {
    return Engine.load(model, options, OptionalLong.of(available), (loaded, total) -> {});
  }
}
