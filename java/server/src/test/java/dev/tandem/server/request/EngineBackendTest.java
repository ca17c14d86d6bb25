package dev.tandem.server.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.runtime.DeviceOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Orders and a real model: the one that comes with Tandem. */
@Timeout(120)
class EngineBackendTest {

  static final Path STORIES = Path.of("../cli/src/main/dist/models/stories.gguf");

  private static final int ORDERS = 32;
  private static final int CONTEXT = 2048; // too little for all at once: some wait

  private EngineBackend backend;
  private final Desk desk =
      new Desk(new DeskLimits(16, 64, 1000, Duration.ofSeconds(1)), new DeskObserver() {});

  @BeforeEach
  void load() {
    TandemModel model =
        TandemModel.open(
            STORIES, EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(CONTEXT).withStep(64, 8));
    backend =
        new EngineBackend(
            model,
            new ModelCard(
                "stories",
                "llama",
                "Q8_0",
                0,
                model.engine().kvTokens(),
                model.tokenizer().vocabulary().size(),
                false,
                "cpu",
                SamplingOptions.greedy(),
                0));
    desk.open(backend);
  }

  @AfterEach
  void unload() {
    desk.close();
    backend.close();
  }

  /** Hears a text, and cancels it after some tokens. */
  private static class Heard implements Reply {
    final StringBuilder text = new StringBuilder();
    final CountDownLatch ended = new CountDownLatch(1);
    private final int cancelAfter;
    private int tokens;
    volatile Optional<Ticket> ticket = Optional.empty();
    volatile Optional<Outcome> outcome = Optional.empty();
    volatile Optional<Refusal> refusal = Optional.empty();

    Heard(int cancelAfter) {
      this.cancelAfter = cancelAfter;
    }

    @Override
    public void token(int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
      text.append(new String(utf8, 0, length, StandardCharsets.UTF_8));
      probabilities.ifPresent(likely -> text.append(likely));
      tokens++;
      if (tokens == cancelAfter) {
        while (ticket.isEmpty()) {
          Thread.onSpinWait();
        }
        ticket.get().cancel();
      }
    }

    @Override
    public void finished(Outcome end) {
      text.append(end.rest());
      outcome = Optional.of(end);
      ended.countDown();
    }

    @Override
    public void failed(Refusal why) {
      refusal = Optional.of(why);
      ended.countDown();
    }

    Heard await() throws InterruptedException {
      assertTrue(ended.await(60, TimeUnit.SECONDS));
      return this;
    }
  }

  private Order order(int seed) {
    Random random = new Random(seed);
    int[] prompt = random.ints(1 + random.nextInt(150), 3, backend.card().vocabulary()).toArray();
    prompt[0] = 1;
    SamplingOptions sampling =
        seed % 2 == 0 ? SamplingOptions.seeded(seed) : SamplingOptions.plain(seed);
    GenerationOptions options = GenerationOptions.of(0, sampling);
    if (seed % 5 == 0) {
      options = options.withLogProbabilities(2);
    }
    return new Order(
        "order-" + seed,
        Caller.ANYBODY,
        prompt,
        options,
        OptionalInt.of(10 + random.nextInt(100)),
        random.nextInt(3),
        Duration.ZERO,
        "test");
  }

  private Heard submit(int seed, int cancelAfter) {
    Heard heard = new Heard(cancelAfter);
    heard.ticket = Optional.of(desk.submit(order(seed), heard));
    return heard;
  }

  /** Invariant 1, through the server's eyes; and invariant 5: the cache is whole again. */
  @Test
  void inCompanyAsAlone() throws Exception {
    List<String> alone = new ArrayList<>();
    for (int i = 0; i < ORDERS; i++) {
      Heard heard = submit(i, 0).await();
      alone.add(heard.text.toString());
      assertEquals(0, backend.load().kvTokensUsed(), "free when the end is told");
    }
    for (int round = 0; round < 2; round++) {
      List<Heard> all = new ArrayList<>();
      for (int i = 0; i < ORDERS; i++) {
        all.add(submit(i, i % 4 == 3 ? 1 + i : 0)); // every fourth is cancelled
      }
      int cancelled = 0;
      for (int i = 0; i < ORDERS; i++) {
        Heard heard = all.get(i).await();
        Outcome outcome = heard.outcome.orElseThrow();
        if (outcome.generation().reason() == Generation.Reason.CANCELLED) {
          cancelled++;
          String text = heard.text.toString();
          assertTrue(alone.get(i).startsWith(text), "order " + i);
        } else {
          assertEquals(alone.get(i), heard.text.toString(), "order " + i);
        }
        assertTrue(outcome.queued().compareTo(outcome.firstToken()) <= 0);
      }
      assertTrue(cancelled >= 2, cancelled + " were cancelled");
      assertEquals(0, backend.load().kvTokensUsed());
      assertEquals(CONTEXT, backend.load().kvTokens());
    }
  }

  @Test
  void deadlinesInPromptAndInText() throws Exception {
    Order order = order(4);
    for (Duration deadline : List.of(Duration.ofNanos(1), Duration.ofMillis(3))) {
      Heard heard = new Heard(0);
      desk.submit(
          new Order(
              "late",
              Caller.ANYBODY,
              order.prompt(),
              order.options().ignoringEnd(),
              OptionalInt.empty(),
              0,
              deadline,
              "test"),
          heard);
      heard.await();
      assertEquals(Problem.DEADLINE_EXCEEDED, heard.refusal.orElseThrow().problem());
      assertEquals(0, backend.load().kvTokensUsed());
    }
  }

  /** What a reply refuses comes back through the engine as it is, and nothing is left behind. */
  @Test
  void aReplyThatRefusesEndsItsOrderAlone() throws Exception {
    Heard slow =
        new Heard(0) {
          @Override
          public void token(
              int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
            throw Refusal.of(Problem.SLOW_READER, "too slow");
          }
        };
    String alone = submit(1, 0).await().text.toString();
    Heard other = submit(1, 0);
    desk.submit(order(2), slow);
    assertEquals(Problem.SLOW_READER, slow.await().refusal.orElseThrow().problem());
    assertEquals(alone, other.await().text.toString());
    assertEquals(0, backend.load().kvTokensUsed());
  }

  @Test
  void aClosedModelIsTold() throws Exception {
    backend.close();
    assertEquals(Problem.INTERNAL, submit(1, 0).await().refusal.orElseThrow().problem());
  }
}
