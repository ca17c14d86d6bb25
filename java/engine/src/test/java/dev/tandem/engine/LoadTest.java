package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.schedule.Context;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a model tells of its load, who goes first under load, and texts without a session. */
@Timeout(60)
class LoadTest {
  private static final int CONTEXT = 128;
  private static final ModelShape SHAPE =
      new ModelShape("load", 1, 64, 4, 2, 16, 64, 300, CONTEXT, 10_000, true, 1e-5f);
  private static final GenerationListener NOBODY = new GenerationListener() {};
  private static final int[] PROMPT = {1, 270};

  @TempDir private Path folder;

  private TandemModel model;

  @BeforeEach
  void load() {
    Path file = folder.resolve("load.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    model =
        TandemModel.open(
            file, EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(CONTEXT).withStep(24, 1));
  }

  @AfterEach
  void unload() {
    model.close();
  }

  /** Takes the whole cache. */
  private static GenerationOptions everything() {
    return GenerationOptions.of(CONTEXT - 10, SamplingOptions.greedy()).ignoringEnd();
  }

  @Test
  void nothingIsLeftOfATextWithoutASession() {
    for (int most : new int[] {0, 1, 50}) {
      Generation generation =
          model.generate(PROMPT, GenerationOptions.of(most, SamplingOptions.seeded(1)), 0, NOBODY);
      EngineLoad load = model.load();
      assertEquals(0, load.kvBlocksUsed(), "when it returns, its room is free");
      assertEquals(0, load.running());
      assertEquals(CONTEXT / 16, load.kvBlocks());
      assertTrue(generation.generatedTokens() <= most);
    }
    Heard fails =
        new Heard(count -> {
          throw new IllegalStateException("the listener has had enough");
        });
    IllegalStateException thrown =
        assertThrows(
            IllegalStateException.class, () -> model.generate(PROMPT, everything(), 0, fails));
    assertEquals("the listener has had enough", thrown.getMessage());
    assertEquals(0, model.load().kvBlocksUsed());
    Heard interrupts = new Heard(count -> Thread.currentThread().interrupt());
    assertEquals(
        Generation.Reason.CANCELLED, model.generate(PROMPT, everything(), 0, interrupts).reason());
    assertTrue(Thread.interrupted());
    assertEquals(0, model.load().kvBlocksUsed());
  }

  @Test
  void sameTextAsInASession() {
    GenerationOptions options = GenerationOptions.of(50, SamplingOptions.seeded(1)).ignoringEnd();
    Heard without = new Heard();
    Heard within = new Heard();
    model.generate(PROMPT, options, 3, without);
    try (Session session = model.newSession()) {
      session.generate(PROMPT, options, within);
    }
    assertEquals(50, without.tokens.size());
    assertEquals(within.tokens, without.tokens);
  }

  @Test
  void whatCanNeverFitIsRefusedAtOnce() {
    assertThrows(
        EngineException.class, () -> model.generate(new int[CONTEXT + 1], everything(), 0, NOBODY));
    assertThrows(EngineException.class, () -> model.generate(new int[0], everything(), 0, NOBODY));
  }

  /** Runs that are given to a loop by hand, one at a time, and what is seen at their ends. */
  private final class Line implements AutoCloseable {
    final EngineLoop loop =
        new EngineLoop(
            new CurrentEngine(
                model.engine(),
                EngineOptions.of(DeviceOptions.cpu(1)))); // the model's own has no thread yet
    final CountDownLatch first = new CountDownLatch(1);
    final CountDownLatch go = new CountDownLatch(1);
    final List<Integer> ends = new CopyOnWriteArrayList<>();
    final List<EngineLoad> loads = new CopyOnWriteArrayList<>();
    volatile boolean broken;

    /** At the end of the first one, the engine's thread waits for {@link #go}. */
    Line() throws InterruptedException {
      add(0);
      assertTrue(first.await(20, TimeUnit.SECONDS));
    }

    TokenChannel add(int priority) {
      TokenChannel channel = new TokenChannel(loop::call);
      loop.submit(run(priority, channel));
      return channel;
    }

    Run run(int priority, TokenChannel channel) {
      GenerationOptions three = GenerationOptions.of(3, SamplingOptions.greedy()).ignoringEnd();
      return new Run(
          new Context(),
          0,
          PROMPT,
          three,
          priority,
          true,
          model.engine(),
          model.tokenizer(),
          channel,
          this::ending);
    }

    private void ending(Run run) {
      ends.add(run.priority());
      loads.add(loop.load());
      first.countDown();
      try {
        assertTrue(go.await(20, TimeUnit.SECONDS));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      loop.ending(run);
      if (broken) {
        throw new IllegalStateException("made up");
      }
    }

    TokenChannel.Result end(TokenChannel channel) {
      return lastEvent(channel).result.orElseThrow();
    }

    TokenChannel.Event lastEvent(TokenChannel channel) {
      TokenChannel.Event event = channel.await();
      while (event.kind != TokenChannel.Kind.END) {
        channel.release();
        event = channel.await();
      }
      return event;
    }

    @Override
    public void close() {
      go.countDown();
      loop.close();
    }
  }

  @Test
  void ofThoseWhoWaitTheHighestPriorityGoesFirst() throws Exception {
    try (Line line = new Line()) {
      TokenChannel low = line.add(-1);
      line.add(0);
      line.add(7);
      line.go.countDown();
      assertEquals(Generation.Reason.LENGTH, line.end(low).reason());
      assertEquals(List.of(0, 7, 0, -1), line.ends);
    }
  }

  @Test
  void tellsWhoRunsAndWhoWaits() throws Exception {
    try (Line line = new Line()) {
      line.add(0);
      TokenChannel last = line.add(0);
      line.go.countDown();
      line.end(last);
      assertEquals(new EngineLoad(1, 0, 1, CONTEXT / 16, 1), line.loads.get(0));
      assertEquals(new EngineLoad(1, 1, 1, CONTEXT / 16, 1), line.loads.get(1));
      assertEquals(new EngineLoad(1, 0, 1, CONTEXT / 16, 1), line.loads.get(2));
      assertEquals(0, line.loop.load().running());
      assertEquals(0, line.loop.load().kvBlocksUsed());
    }
  }

  @Test
  void tellsHowLongItWaited() throws Exception {
    try (Line line = new Line()) {
      TokenChannel waits = line.add(0);
      TokenChannel channel = new TokenChannel(line.loop::call);
      Run cancelled = line.run(0, channel);
      line.loop.submit(cancelled);
      line.loop.cancel(cancelled);
      long waiting = System.nanoTime();
      line.go.countDown();
      TokenChannel.Result result = line.end(waits);
      assertTrue(result.beganNanos() - waiting > 0, "not before the first one had ended");
      assertTrue(result.firstNanos() - result.beganNanos() > 0);
      TokenChannel.Result never = line.end(channel);
      assertEquals(Generation.Reason.CANCELLED, never.reason());
      assertEquals(never.endNanos(), never.beganNanos(), "queued all the time");
    }
  }

  /** Whatever goes wrong at the end of one: nobody waits for ever, and none comes after. */
  @Test
  @Timeout(60)
  void aDefectAtAnEndIsToldToAll() throws Exception {
    try (Line line = new Line()) {
      List<TokenChannel> others = List.of(line.add(0), line.add(0), line.add(0));
      line.broken = true;
      line.go.countDown();
      for (TokenChannel other : others) {
        RuntimeException told = line.lastEvent(other).failure.orElseThrow();
        assertEquals("made up", told.getCause().getMessage());
      }
      assertEquals("made up", line.loop.defect().orElseThrow().getMessage());
      assertThrows(IllegalStateException.class, () -> line.add(0));
      assertEquals(0, line.loop.load().kvBlocksUsed());
    }
  }

  @Test
  void aGenerationTellsHowLongItWasQueued() {
    long asked = System.nanoTime();
    Generation generation =
        model.generate(PROMPT, GenerationOptions.of(3, SamplingOptions.greedy()), 0, NOBODY);
    assertTrue(generation.queued().compareTo(Duration.ZERO) > 0);
    assertTrue(generation.queued().compareTo(generation.firstToken()) < 0);
    assertTrue(generation.firstToken().toNanos() < System.nanoTime() - asked);
    try (Session session = model.newSession(7)) {
      assertTrue(
          session
                  .generate(PROMPT, GenerationOptions.of(3, SamplingOptions.greedy()), NOBODY)
                  .queued()
                  .toNanos()
              > 0);
    }
  }
}
