package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model file that somebody cuts short ends the runs that need it, not the process. */
class FileChangedTest {
  private static final ModelShape SHAPE =
      new ModelShape("cut", 4, 256, 4, 2, 64, 512, 300, 512, 10_000, true, 1e-5f);
  private static final GenerationOptions ENDLESS =
      GenerationOptions.of(GenerationOptions.UNLIMITED, SamplingOptions.greedy()).ignoringEnd();

  @TempDir private Path folder;

  private Path file;

  @BeforeEach
  void write() {
    file = folder.resolve("cut.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F16));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3, 0.9})
  void cutWhileItGenerates(double keptShare) throws IOException {
    long kept = (long) (Files.size(file) * keptShare);
    Heard heard =
        new Heard(count -> {
          if (count == 5) {
            cut(file, kept);
          }
        });
    try (TandemModel model = open(file, WeightStore.Mode.MAPPED);
        Session session = model.newSession()) {
      RuntimeFailure e =
          assertThrows(
              RuntimeFailure.class, () -> session.generate(new int[] {1, 270}, ENDLESS, heard));
      assertEquals(RuntimeFailure.Status.FILE_CHANGED, e.status());
      assertTrue(e.getMessage().startsWith(file + ": changed on disk"), e.getMessage());
      // The engine may be some tokens ahead of who listens.
      assertTrue(heard.tokens.size() >= 5, heard.tokens::toString);
      // Every later run says the same.
      RuntimeFailure again =
          assertThrows(
              RuntimeFailure.class, () -> session.generate(new int[] {271}, ENDLESS, heard));
      assertEquals(RuntimeFailure.Status.FILE_CHANGED, again.status());
    }
    // The process lives, and other models work as ever.
    write();
    for (WeightStore.Mode mode : WeightStore.Mode.values()) {
      try (TandemModel model = open(file, mode);
          Session session = model.newSession()) {
        Heard whole = new Heard();
        GenerationOptions asMany =
            GenerationOptions.of(heard.tokens.size(), SamplingOptions.greedy()).ignoringEnd();
        session.generate(new int[] {1, 270}, asMany, whole);
        assertEquals(whole.tokens, heard.tokens, "nothing of the hole is announced, " + mode);
      }
    }
  }

  /** Cut by another thread, at any moment of a run. */
  @Test
  void cutInTheMiddleOfARun() throws InterruptedException {
    for (int round = 0; round < 10; round++) {
      write();
      try (TandemModel model = open(file, WeightStore.Mode.MAPPED);
          Session session = model.newSession()) {
        int microseconds = 300 * round;
        Thread cutter =
            new Thread(() -> {
              long until = System.nanoTime() + 1000L * microseconds;
              while (System.nanoTime() < until) {
                Thread.onSpinWait();
              }
              cut(file, 100_000);
            });
        cutter.start();
        int[] prompt = new int[256];
        RuntimeFailure e =
            assertThrows(
                RuntimeFailure.class, () -> session.generate(prompt, ENDLESS, new Heard()));
        assertEquals(RuntimeFailure.Status.FILE_CHANGED, e.status());
        cutter.join();
      }
    }
  }

  /** Weights that were read into memory do not care. */
  @Test
  void weightsInMemoryLiveOn() {
    for (WeightStore.Mode mode : List.of(WeightStore.Mode.TILES, WeightStore.Mode.PLAIN)) {
      write();
      try (Engine engine =
          Runs.load(Model.open(file), Runs.options(2, Runs.instructionSets().getLast()), mode)) {
        double[][] before = Runs.logits(engine, new int[] {1, 2, 3});
        cut(file, 0);
        double[][] after = Runs.logits(engine, new int[] {1, 2, 3});
        for (int i = 0; i < before.length; i++) {
          assertArrayEquals(before[i], after[i]);
        }
      }
    }
  }

  /** Cut between reading its header and reading its weights. */
  @Test
  void cutBeforeItIsLoaded() {
    for (WeightStore.Mode mode : WeightStore.Mode.values()) {
      write();
      Model model = Model.open(file);
      cut(file, GgufFile.open(file).tensor("output_norm.weight").offset());
      EngineOptions options = Runs.options(2, Runs.instructionSets().getLast());
      RuntimeFailure e =
          assertThrows(RuntimeFailure.class, () -> Runs.load(model, options, mode).close());
      assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
    }
  }

  private static TandemModel open(Path file, WeightStore.Mode mode) {
    EngineOptions options =
        EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(512).withStep(64, 1);
    return TandemModel.open(file, options.withWeights(mode));
  }

  private static void cut(Path file, long size) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(size);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
