package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many sessions at once: none knows of the others, and each ends. */
@Timeout(120)
class ParallelSessionsTest {
  private static final int CONTEXT = 512;
  private static final ModelShape SHAPE =
      new ModelShape("parallel", 2, 64, 4, 2, 16, 96, 300, 512, 10_000, true, 1e-5f);
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(CONTEXT).withStep(24, 5);
  private static final GenerationListener NOBODY = new GenerationListener() {};

  @TempDir private Path folder;

  private TandemModel model;

  @BeforeEach
  void load() {
    Path file = folder.resolve("parallel.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    model = TandemModel.open(file, OPTIONS);
  }

  @AfterEach
  void unload() {
    model.close();
  }

  /** One conversation: several generations with random options. */
  private static List<String> conversation(TandemModel model, long seed) {
    Random random = new Random(seed);
    List<String> all = new ArrayList<>();
    try (Session session = model.newSession()) {
      for (int turn = 0; turn < 3; turn++) {
        int[] prompt = random.ints(1 + random.nextInt(60), 259, 300).toArray();
        SamplingOptions sampling = sampling(seed + turn);
        Heard heard = new Heard();
        int most = random.nextInt(40);
        Generation generation =
            session.generate(prompt, GenerationOptions.of(most, sampling), heard);
        all.add(generation.reason() + " " + heard.tokens + " " + heard.text());
      }
    }
    return all;
  }

  /** From candidates, from whole rows, and with penalties. */
  private static SamplingOptions sampling(long seed) {
    return switch ((int) (seed % 3)) {
      case 0 -> SamplingOptions.seeded(seed);
      case 1 -> SamplingOptions.plain(seed);
      default -> SamplingOptions.seeded(seed).withPenalties(new Penalties(32, 1.2, 0.3, 0.2));
    };
  }

  @Test
  void inCompanyAsAlone() throws Exception {
    int sessions = 16;
    List<List<String>> alone = new ArrayList<>();
    for (int i = 0; i < sessions; i++) {
      alone.add(conversation(model, i));
    }
    for (int round = 0; round < 3; round++) {
      try (ExecutorService threads =
          round == 0
              ? Executors.newFixedThreadPool(sessions)
              : Executors.newVirtualThreadPerTaskExecutor()) {
        List<Future<List<String>>> running = new ArrayList<>();
        for (int i = 0; i < sessions; i++) {
          long seed = i;
          running.add(threads.submit(() -> conversation(model, seed)));
        }
        for (int i = 0; i < sessions; i++) {
          assertEquals(alone.get(i), running.get(i).get(), "session " + i + ", round " + round);
        }
      }
      assertEquals(CONTEXT / 16, model.engine().cache().freeBlocks());
    }
  }

  /**
   * Some are cancelled, interrupted, closed or failed by their listeners; the others stay right.
   */
  @Test
  void inTroubledCompanyAsAlone() throws Exception {
    List<List<String>> alone = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      alone.add(conversation(model, i));
    }
    AtomicInteger troubles = new AtomicInteger();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<List<String>>> running = new ArrayList<>();
      CountDownLatch done = new CountDownLatch(4);
      for (int i = 0; i < 4; i++) {
        long seed = i;
        running.add(
            threads.submit(() -> {
              List<String> all = List.of();
              for (int again = 0; again < 5; again++) {
                all = conversation(model, seed);
                assertEquals(alone.get((int) seed), all);
              }
              done.countDown();
              return all;
            }));
      }
      List<Future<?>> others = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        int kind = i;
        others.add(
            threads.submit(() -> {
              Random random = new Random(kind);
              while (done.getCount() > 0) {
                trouble(kind, random);
                troubles.incrementAndGet();
              }
            }));
      }
      for (int i = 0; i < 4; i++) {
        assertEquals(alone.get(i), running.get(i).get());
      }
      for (Future<?> other : others) {
        other.get();
      }
    }
    assertTrue(troubles.get() >= 4, troubles::toString);
    assertEquals(CONTEXT / 16, model.engine().cache().freeBlocks());
  }

  private void trouble(int kind, Random random) {
    int[] prompt = random.ints(1 + random.nextInt(100), 259, 300).toArray();
    int at = 1 + random.nextInt(5);
    GenerationOptions options =
        GenerationOptions.of(50, SamplingOptions.seeded(random.nextLong())).ignoringEnd();
    try (Session session = model.newSession()) {
      Heard heard =
          new Heard(count -> {
            if (count == at) {
              switch (kind) {
                case 0 -> session.cancel();
                case 1 -> Thread.currentThread().interrupt();
                case 2 -> close(session);
                default -> throw new Refusal();
              }
            }
          });
      if (kind == 3) {
        assertThrows(Refusal.class, () -> session.generate(prompt, options, heard));
      } else {
        Generation generation = session.generate(prompt, options, heard);
        assertEquals(Generation.Reason.CANCELLED, generation.reason());
        assertEquals(at, generation.generatedTokens());
      }
      assertEquals(at, heard.tokens.size(), "nothing is heard afterwards");
      assertEquals(kind == 1, Thread.interrupted());
    }
  }

  /** Also by a try clause afterwards: closing twice does no harm. */
  private static void close(Session session) {
    session.close();
  }

  private static final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  @Test
  void listenersAreCalledOnTheCallersThread() {
    Thread caller = Thread.currentThread();
    AtomicInteger calls = new AtomicInteger();
    try (Session session = model.newSession()) {
      session.generate(
          new int[] {1, 270},
          GenerationOptions.of(20, SamplingOptions.greedy()).ignoringEnd(),
          new GenerationListener() {
            @Override
            public void prompt(int read, int total) {
              assertSame(caller, Thread.currentThread());
            }

            @Override
            public void token(int id) {
              calls.incrementAndGet();
              assertSame(caller, Thread.currentThread());
            }
          });
    }
    assertEquals(20, calls.get());
  }

  @Test
  void aSlowListenerHoldsUpOnlyItself() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    CountDownLatch stuck = new CountDownLatch(1);
    Heard slow =
        new Heard(count -> {
          stuck.countDown();
          await(go);
        });
    GenerationOptions options = GenerationOptions.of(200, SamplingOptions.seeded(1)).ignoringEnd();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        Session session = model.newSession();
        Session quick = model.newSession()) {
      Future<Generation> held =
          threads.submit(() -> session.generate(new int[] {1, 270}, options, slow));
      assertTrue(stuck.await(20, TimeUnit.SECONDS));
      Heard heard = new Heard();
      quick.generate(new int[] {1, 270}, options, heard);
      assertFalse(held.isDone());
      go.countDown();
      assertEquals(200, held.get().generatedTokens());
      assertEquals(heard.tokens, slow.tokens, "what waited is complete, and in order");
    }
  }

  @Test
  void closingTheModelEndsAllGenerations() throws Exception {
    GenerationOptions endless = GenerationOptions.of(150, SamplingOptions.seeded(1)).ignoringEnd();
    // Three run, and some wait for room.
    int sessions = 8;
    CountDownLatch begun = new CountDownLatch(1);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Generation>> running = new ArrayList<>();
      for (int i = 0; i < sessions; i++) {
        Session session = model.newSession();
        running.add(
            threads.submit(() ->
                session.generate(new int[] {1, 270}, endless, new Heard(n -> begun.countDown()))));
      }
      assertTrue(begun.await(20, TimeUnit.SECONDS));
      model.close();
      for (Future<Generation> each : running) {
        try {
          Generation.Reason reason = each.get(20, TimeUnit.SECONDS).reason();
          assertTrue(reason != Generation.Reason.STOP, reason::toString);
        } catch (ExecutionException e) { // asked for when it was closed already
          assertEquals(IllegalStateException.class, e.getCause().getClass());
        }
      }
    }
  }

  /** Whoever closes waits for the end: nobody takes memory away under the engine. */
  @Test
  void manyCloseTheModelAtOnce() throws Exception {
    for (int round = 0; round < 10; round++) {
      CountDownLatch begun = new CountDownLatch(1);
      TandemModel other = TandemModel.open(folder.resolve("parallel.gguf"), OPTIONS);
      try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
        Session session = other.newSession();
        Future<Generation> running =
            threads.submit(() ->
                session.generate(
                    new int[] {1, 270},
                    GenerationOptions.of(400, SamplingOptions.seeded(1)).ignoringEnd(),
                    new Heard(count -> begun.countDown())));
        assertTrue(begun.await(20, TimeUnit.SECONDS));
        for (int i = 0; i < 4; i++) {
          threads.submit(other::close);
        }
        running.get(20, TimeUnit.SECONDS);
      }
    }
  }

  /** The one that listens is full and reserves what the other needs. */
  @Test
  void aListenerGeneratesInAnotherSession() {
    GenerationOptions many = GenerationOptions.of(300, SamplingOptions.seeded(1)).ignoringEnd();
    Heard alone = new Heard();
    List<Integer> inner = new ArrayList<>();
    try (Session session = model.newSession();
        Session other = model.newSession()) {
      session.generate(new int[] {1, 270}, many, alone);
      session.reset();
      Heard heard =
          new Heard(count -> {
            if (count == 100) {
              Heard nested = new Heard();
              other.generate(new int[] {1, 270}, many, nested);
              inner.addAll(nested.tokens);
            }
          });
      session.generate(new int[] {1, 270}, many, heard);
      assertEquals(alone.tokens, heard.tokens);
      assertEquals(alone.tokens, inner);
    }
  }

  @Test
  void whatAListenerMayNotDo() {
    GenerationOptions few = GenerationOptions.of(3, SamplingOptions.greedy()).ignoringEnd();
    try (Session session = model.newSession()) {
      Heard resets = new Heard(count -> session.reset());
      assertThrows(
          IllegalStateException.class, () -> session.generate(new int[] {1, 270}, few, resets));
      assertEquals(3, session.generate(new int[] {1}, few, NOBODY).generatedTokens());
    }
  }

  /** Some languages do not declare what they throw. */
  @Test
  void checkedExceptionsOfListenersEndTheGenerationToo() {
    GenerationOptions many = GenerationOptions.of(300, SamplingOptions.greedy()).ignoringEnd();
    try (Session session = model.newSession();
        Session other = model.newSession()) {
      Heard fails =
          new Heard(count -> ParallelSessionsTest.<RuntimeException>fail(new IOException("no")));
      assertThrows(IOException.class, () -> session.generate(new int[] {1, 270}, many, fails));
      assertEquals(300, other.generate(new int[] {1}, many, NOBODY).generatedTokens());
    }
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void fail(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** Each continues what the one before it left. */
  @Test
  void callersOfOneSessionTakeTurns() throws Exception {
    GenerationOptions few = GenerationOptions.of(5, SamplingOptions.greedy()).ignoringEnd();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        Session session = model.newSession()) {
      List<Future<Generation>> running = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        running.add(threads.submit(() -> session.generate(new int[] {270}, few, NOBODY)));
      }
      for (Future<Generation> each : running) {
        assertEquals(5, each.get().generatedTokens());
      }
      assertEquals(8 * 6 - 1, session.length());
    }
  }

  @Test
  void closingTheModelFromAListener() {
    Session session = model.newSession();
    GenerationOptions endless =
        GenerationOptions.of(GenerationOptions.UNLIMITED, SamplingOptions.seeded(1)).ignoringEnd();
    Generation generation =
        session.generate(
            new int[] {1, 270},
            endless,
            new Heard(count -> {
              if (count == 3) {
                model.close();
              }
            }));
    assertTrue(generation.generatedTokens() >= 3);
    assertThrows(
        IllegalStateException.class, () -> session.generate(new int[] {1}, endless, NOBODY));
    session.close();
  }

  @Test
  void aListenerCannotGenerateInItsOwnSession() {
    AtomicReference<String> message = new AtomicReference<>("");
    GenerationOptions few = GenerationOptions.of(3, SamplingOptions.greedy());
    try (Session session = model.newSession()) {
      Heard heard =
          new Heard(count ->
              message.set(
                  assertThrows(
                          IllegalStateException.class,
                          () -> session.generate(new int[] {1}, few, NOBODY))
                      .getMessage()));
      session.generate(new int[] {1, 270}, few, heard);
    }
    assertTrue(message.get().startsWith("a listener cannot use the session"), message.get());
  }

  @Test
  void probabilitiesComeWithTheirTokens() {
    GenerationOptions options =
        GenerationOptions.of(10, SamplingOptions.plain(3)).ignoringEnd().withLogProbabilities(4);
    List<Integer> tokens = new ArrayList<>();
    List<TokenProbabilities> heard = new ArrayList<>();
    try (Session session = model.newSession()) {
      session.generate(
          new int[] {1, 270},
          options,
          new GenerationListener() {
            @Override
            public void token(int id) {
              tokens.add(id);
            }

            @Override
            public void probabilities(TokenProbabilities probabilities) {
              assertEquals(tokens.getLast(), probabilities.chosen().id());
              heard.add(probabilities);
            }
          });
    }
    assertEquals(10, heard.size());
    for (TokenProbabilities each : heard) {
      assertEquals(4, each.top().size());
      assertTrue(each.chosen().log() <= each.top().getFirst().log());
    }
  }

  /** Penalties look at the whole text, whichever generation it comes from. */
  @Test
  void penaltiesRememberEarlierGenerations() {
    SamplingOptions sampling = SamplingOptions.seeded(1).withPenalties(new Penalties(64, 1, 3, 1));
    int[] more = {275};
    try (Session session = model.newSession();
        Session whole = model.newSession()) {
      Heard first = new Heard();
      session.generate(new int[] {1, 270}, GenerationOptions.of(20, sampling).ignoringEnd(), first);
      Heard second = new Heard();
      session.generate(more, GenerationOptions.of(20, sampling).ignoringEnd(), second);
      List<Integer> text = new ArrayList<>(List.of(1, 270));
      text.addAll(first.tokens);
      text.add(more[0]);
      Heard atOnce = new Heard();
      whole.generate(
          text.stream().mapToInt(Integer::intValue).toArray(),
          GenerationOptions.of(20, sampling).ignoringEnd(),
          atOnce);
      assertEquals(atOnce.tokens, second.tokens);
    }
  }

  @Test
  void textIsContinuedAsTextAndEndsBeforeAStopString() {
    GenerationOptions options = GenerationOptions.of(40, SamplingOptions.seeded(3)).ignoringEnd();
    try (Session session = model.newSession()) {
      StringBuilder whole = new StringBuilder();
      session.generate("ab", options, whole::append);
      String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 2);
      session.reset();
      StringBuilder text = new StringBuilder();
      Generation generation = session.generate("ab", options.stoppingAt(stop), text::append);
      assertEquals(Generation.Reason.STOP, generation.reason());
      assertEquals(stop, generation.stop().orElseThrow());
      assertEquals(whole.substring(0, whole.indexOf(stop)), text.toString());
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
