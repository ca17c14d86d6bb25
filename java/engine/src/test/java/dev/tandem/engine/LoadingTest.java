package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Steps run while the model is loaded: they wait for what they need, and for nothing else. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LoadingTest {
  private static final ModelShape SHAPE =
      new ModelShape("loading", 4, 256, 4, 2, 64, 512, 300, 512, 10_000, false, 1e-5f);
  private static final int[] TOKENS = new Random(3).ints(40, 0, 300).toArray();
  private static final GenerationOptions SOME =
      GenerationOptions.of(5, SamplingOptions.greedy()).ignoringEnd();
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(512).withStep(64, 64);

  @TempDir private Path folder;

  private Path file;

  @BeforeEach
  void write() {
    file = folder.resolve("loading.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
  }

  /** Holds loading up before it tells that more than a share of the model is there. */
  private static final class Gate implements WeightStore.Progress {
    private final CountDownLatch open = new CountDownLatch(1);
    private final CountDownLatch reached = new CountDownLatch(1);
    private final double share;

    Gate(double share) {
      this.share = share;
    }

    @Override
    public void loaded(long bytes, long total) {
      if (bytes > share * total) {
        reached.countDown();
        await(open);
      }
    }

    static void await(CountDownLatch latch) {
      try {
        assertTrue(latch.await(30, TimeUnit.SECONDS), "nobody came");
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** A step without outputs reads no head: it is over while that is not there. */
  @Test
  void aStepNeedsOnlyWhatItReads() {
    Model model = Model.open(file);
    double[][] expected;
    try (Engine whole = Runs.load(model, OPTIONS)) {
      expected = Runs.logits(whole, TOKENS);
    }
    Gate beforeTheHead = new Gate(0.999); // all but the last piece, which is the head's
    try (Engine engine = Engine.load(model, OPTIONS, beforeTheHead);
        AbortFlag flag = new AbortFlag()) {
      KvSequence sequence = new KvSequence();
      int last = TOKENS.length - 1;
      engine.begin();
      engine.add(sequence, TOKENS, 0, last, Engine.Outputs.NONE);
      engine.run(flag);
      assertEquals(last, sequence.length());
      Gate.await(beforeTheHead.reached);
      assertFalse(engine.isLoaded());
      engine.begin();
      int output = engine.add(sequence, TOKENS, last, 1, Engine.Outputs.LAST);
      CompletableFuture<Void> opened =
          CompletableFuture.runAsync(
              beforeTheHead.open::countDown,
              CompletableFuture.delayedExecutor(50, TimeUnit.MILLISECONDS));
      engine.run(flag); // waits for the head
      assertTrue(engine.isLoaded());
      assertArrayEquals(expected[last], Runs.row(engine, output));
      opened.join();
    }
  }

  /** However slowly the weights come, a step computes what it would have computed later. */
  @ParameterizedTest
  @EnumSource
  void stepsAreTheSameWhileItLoads(WeightStore.Mode mode) {
    Model model = Model.open(file);
    EngineOptions options =
        EngineOptions.of(DeviceOptions.cpu(3)).withKvTokens(512).withStep(64, 64).withWeights(mode);
    double[][] expected;
    try (Engine whole = Runs.load(model, options)) {
      expected = Runs.logits(whole, TOKENS, 8);
    }
    for (long seed = 0; seed < (Runs.LONG ? 100 : 5); seed++) {
      Random random = new Random(seed);
      WeightStore.Progress slow = (loaded, total) -> sleep(random.nextInt(4));
      try (Engine engine = Engine.load(model, options, slow)) {
        double[][] logits = Runs.logits(engine, TOKENS, 8);
        for (int i = 0; i < TOKENS.length; i++) {
          assertArrayEquals(expected[i], logits[i], "seed " + seed + ", token " + i);
        }
        engine.awaitLoaded();
        assertEquals(engine.memory().total(), engine.device().memoryPeak());
      }
    }
  }

  /** The file loses its end while its beginning is loaded. */
  @Test
  void aFailureFailsThoseWhoWait() throws IOException {
    long size = file.toFile().length();
    Gate early = new Gate(0.3);
    try (TandemModel model = TandemModel.load(Model.open(file), OPTIONS, early);
        Session session = model.newSession();
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      CompletableFuture<Generation> waiting =
          CompletableFuture.supplyAsync(() -> session.generate(TOKENS, SOME, new Heard()));
      Gate.await(early.reached);
      channel.truncate(size - 1000);
      early.open.countDown();
      Throwable first = assertThrows(CompletionException.class, waiting::join).getCause();
      check(first);
      check(assertThrows(RuntimeException.class, model::awaitLoaded));
      check(
          assertThrows(RuntimeException.class, () -> session.generate(TOKENS, SOME, new Heard())));
    }
  }

  private void check(Throwable failure) {
    RuntimeFailure e = (RuntimeFailure) failure;
    assertEquals(RuntimeFailure.Status.FILE_CHANGED, e.status());
    assertTrue(e.getMessage().startsWith(file + ": became shorter"), e.getMessage());
  }

  /** What hears of the progress fails: nobody waits for ever. */
  @Test
  void aDefectFailsThoseWhoWait() {
    WeightStore.Progress broken =
        (loaded, total) -> {
          throw new ArithmeticException("broken");
        };
    try (TandemModel model = TandemModel.load(Model.open(file), OPTIONS, broken);
        Session session = model.newSession()) {
      assertThrows(ArithmeticException.class, () -> session.generate(TOKENS, SOME, new Heard()));
      assertThrows(ArithmeticException.class, model::awaitLoaded);
    }
  }

  @Test
  void whoWaitsCanBeCancelled() {
    Gate early = new Gate(0.3);
    try (TandemModel model = TandemModel.load(Model.open(file), OPTIONS, early);
        Session session = model.newSession()) {
      CompletableFuture<Generation> waiting =
          CompletableFuture.supplyAsync(() -> session.generate(TOKENS, SOME, new Heard()));
      Gate.await(early.reached);
      sleep(20);
      session.cancel();
      assertEquals(Generation.Reason.CANCELLED, waiting.join().reason());
      early.open.countDown();
      model.awaitLoaded();
      Heard heard = new Heard();
      session.generate(TOKENS, SOME, heard);
      assertEquals(5, heard.tokens.size());
    }
  }

  /** More than 30 pieces, slowly: closing waits for the one that is under way, and for no other. */
  @Test
  void closesWhileItLoads() {
    CountDownLatch begun = new CountDownLatch(1);
    AtomicInteger heard = new AtomicInteger();
    WeightStore.Progress slow =
        (loaded, total) -> {
          begun.countDown();
          heard.incrementAndGet();
          sleep(300);
        };
    TandemModel model = TandemModel.load(Model.open(file), OPTIONS, slow);
    CompletableFuture<Generation> waiting =
        CompletableFuture.supplyAsync(() -> model.newSession().generate(TOKENS, SOME, new Heard()));
    CompletableFuture<Void> awaiting = CompletableFuture.runAsync(model::awaitLoaded);
    Gate.await(begun);
    sleep(20);
    int before = heard.get();
    model.close();
    int after = heard.get();
    assertTrue(after <= before + 2, before + ", then " + after);
    assertEquals(Generation.Reason.CANCELLED, waiting.join().reason());
    assertThrows(CompletionException.class, awaiting::join);
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
