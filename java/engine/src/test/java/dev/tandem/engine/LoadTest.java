package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a model tells of its load, who goes first under load, and texts without a session. */
@Timeout(60)
class LoadTest {
  // So many that a generation goes on for seconds, if nobody ends it.
  private static final int CONTEXT = 1 << 16;
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
    model = TandemModel.open(file, EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(CONTEXT));
  }

  @AfterEach
  void unload() {
    model.close();
  }

  /** Takes the whole cache. */
  private static GenerationOptions everything() {
    return GenerationOptions.of(CONTEXT - 10, SamplingOptions.greedy()).ignoringEnd();
  }

  private void await(Predicate<EngineLoad> state) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!state.test(model.load())) {
      assertTrue(System.nanoTime() - end < 0, () -> model.load().toString());
      Thread.onSpinWait();
    }
  }

  /** Starts a generation that has all room, until its session is cancelled. */
  private Future<Generation> occupy(Session session, ExecutorService threads) throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    Future<Generation> generation =
        threads.submit(
            () -> session.generate(PROMPT, everything(), new Heard(count -> begun.countDown())));
    assertTrue(begun.await(20, TimeUnit.SECONDS));
    return generation;
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
          throw new UnsupportedOperationException();
        });
    assertThrows(
        UnsupportedOperationException.class, () -> model.generate(PROMPT, everything(), 0, fails));
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

  @Test
  void tellsWhoRunsAndWhoWaitsAndForHowLong() throws Exception {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        Session first = model.newSession()) {
      Future<Generation> running = occupy(first, threads);
      EngineLoad alone = model.load();
      assertEquals(1, alone.running());
      assertEquals(0, alone.waiting());
      assertEquals(1, alone.lastStep());
      assertTrue(alone.kvBlocksUsed() > 0, alone::toString);

      GenerationOptions two = GenerationOptions.of(CONTEXT, SamplingOptions.greedy());
      Future<Generation> waiting =
          threads.submit(() ->
              model.generate(
                  PROMPT,
                  two,
                  0,
                  new Heard(count -> {
                    if (count == 2) {
                      Thread.currentThread().interrupt();
                    }
                  })));
      await(load -> load.waiting() == 1);
      long seen = System.nanoTime();
      assertEquals(1, model.load().running());
      long cancelled = System.nanoTime();
      first.cancel();
      Generation long1 = running.get();
      Generation long2 = waiting.get();
      assertTrue(long1.queued().compareTo(long1.firstToken()) <= 0);
      assertTrue(long2.queued().compareTo(long2.firstToken()) <= 0);
      assertTrue(long2.queued().toNanos() >= cancelled - seen, "it waited for the first");
    }
    assertEquals(0, model.load().kvBlocksUsed());
    await(load -> load.lastStep() == 0 && load.running() == 0);
  }

  /** Who is cancelled while it waits was queued all the time. */
  @Test
  void neverBegan() throws Exception {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        Session first = model.newSession();
        Session second = model.newSession()) {
      Future<Generation> running = occupy(first, threads);
      long asked = System.nanoTime();
      Future<Generation> waiting =
          threads.submit(() -> second.generate(PROMPT, everything(), NOBODY));
      await(load -> load.waiting() == 1);
      second.cancel();
      Generation cancelled = waiting.get();
      assertFalse(running.isDone());
      assertEquals(Generation.Reason.CANCELLED, cancelled.reason());
      assertEquals(0, cancelled.generatedTokens());
      assertTrue(cancelled.queued().compareTo(Duration.ZERO) > 0);
      assertTrue(cancelled.queued().toNanos() <= System.nanoTime() - asked);
      assertEquals(cancelled.firstToken(), cancelled.queued());
    }
  }

  @Test
  void higherPriorityGoesFirst() throws Exception {
    List<String> order = new CopyOnWriteArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        Session first = model.newSession()) {
      occupy(first, threads);
      threads.submit(() -> model.generate(PROMPT, everything(), -1, begins("low", order)));
      await(load -> load.waiting() == 1);
      threads.submit(() -> model.generate(PROMPT, everything(), 0, begins("usual", order)));
      await(load -> load.waiting() == 2);
      threads.submit(() -> {
        try (Session session = model.newSession(7)) {
          session.generate(PROMPT, everything(), begins("high", order));
        }
      });
      await(load -> load.waiting() == 3);
      first.cancel();
    }
    assertEquals(List.of("high", "usual", "low"), order);
  }

  /** Says who it is at its first token, and ends. */
  private static GenerationListener begins(String name, List<String> order) {
    return new Heard(count -> {
      order.add(name);
      Thread.currentThread().interrupt();
    });
  }
}
