package dev.tandem.server.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.MDC;

/** Every order that is accepted hears of exactly one end, whatever happens. */
@Timeout(60)
class DeskTest {

  private static final DeskLimits LIMITS = new DeskLimits(2, 3, 100, Duration.ofSeconds(1));
  private static final GenerationOptions OPTIONS =
      GenerationOptions.of(GenerationOptions.UNLIMITED, SamplingOptions.greedy());

  /** What was told to metrics. */
  private final List<String> observed = new CopyOnWriteArrayList<>();

  private final Desk desk = new Desk(LIMITS, new Observer());

  private final class Observer implements DeskObserver {
    @Override
    public void accepted(Order order) {
      observed.add("accepted " + order.id());
    }

    @Override
    public void refused(Order order, Refusal refusal) {
      observed.add("refused " + refusal.problem());
    }

    @Override
    public void finished(Order order, Outcome outcome) {
      observed.add("finished " + order.id());
    }

    @Override
    public void failed(Order order, Refusal refusal) {
      observed.add("failed " + refusal.problem());
    }
  }

  /** Keeps what it hears. */
  private static class Heard implements Reply {
    final CountDownLatch ended = new CountDownLatch(1);
    final CountDownLatch started = new CountDownLatch(1);
    final StringBuffer text = new StringBuffer();
    final List<Integer> tokens = new CopyOnWriteArrayList<>();
    final List<Object> ends = new CopyOnWriteArrayList<>();
    volatile boolean interruptedAtEnd;

    @Override
    public void started() {
      started.countDown();
    }

    @Override
    public void token(int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
      tokens.add(id);
      text.append(new String(utf8, 0, length, StandardCharsets.UTF_8));
    }

    @Override
    public void finished(Outcome outcome) {
      text.append(outcome.rest());
      end(outcome);
    }

    @Override
    public void failed(Refusal refusal) {
      end(refusal);
    }

    private void end(Object what) {
      interruptedAtEnd |= Thread.currentThread().isInterrupted();
      ends.add(what);
      ended.countDown();
    }

    Object end() throws InterruptedException {
      assertTrue(ended.await(20, TimeUnit.SECONDS), "it has no end");
      assertFalse(interruptedAtEnd);
      return ends.getFirst();
    }

    Outcome outcome() throws InterruptedException {
      return (Outcome) end();
    }

    Problem problem() throws InterruptedException {
      return ((Refusal) end()).problem();
    }
  }

  @AfterEach
  void close() throws Exception {
    desk.close();
    assertTrue(desk.awaitIdle(Duration.ofSeconds(20)));
    long ends =
        observed.stream().filter(e -> e.startsWith("finished") || e.startsWith("failed")).count();
    assertEquals(
        observed.stream().filter(e -> e.startsWith("accepted")).count(), ends, observed::toString);
  }

  private static Order order(int[] prompt, OptionalInt most, int priority, Duration deadline) {
    return new Order(
        "id", new Caller("t", "", 5), prompt, OPTIONS, most, priority, deadline, "test");
  }

  private static Order order() {
    return order(new int[] {1, 2}, OptionalInt.empty(), 0, Duration.ZERO);
  }

  private Problem refused(Order order) {
    Heard heard = new Heard();
    Refusal refusal = assertThrows(Refusal.class, () -> desk.submit(order, heard));
    assertTrue(heard.ends.isEmpty());
    return refusal.problem();
  }

  @Test
  void anOrderFromBeginningToEnd() throws Exception {
    desk.open(ScriptedBackend.saying("Hello, world"));
    Heard heard = new Heard();
    desk.submit(order(), heard);
    Outcome outcome = heard.outcome();
    assertEquals("Hello, world", heard.text.toString().strip());
    assertEquals(2, outcome.promptTokens());
    assertEquals(heard.tokens.size(), outcome.generation().generatedTokens());
    assertTrue(outcome.queued().compareTo(outcome.firstToken()) <= 0);
    assertTrue(outcome.firstToken().compareTo(outcome.total()) <= 0);
    assertEquals(List.of("accepted id", "finished id"), observed);
    DeskTotals totals = desk.totals();
    assertEquals(1, totals.requests());
    assertEquals(2, totals.promptTokens());
    assertEquals(heard.tokens.size(), totals.generatedTokens());
  }

  @Test
  void whatCanNeverBeServedIsRefused() {
    assertEquals(Problem.LOADING, refused(order()));
    desk.open(ScriptedBackend.endless().withContext(50));
    OptionalInt none = OptionalInt.empty();
    Duration zero = Duration.ZERO;
    assertEquals(Problem.INVALID_ARGUMENT, refused(order(new int[0], none, 0, zero)));
    assertEquals(Problem.INVALID_ARGUMENT, refused(order(new int[] {-1}, none, 0, zero)));
    assertEquals(Problem.INVALID_ARGUMENT, refused(order(new int[] {1000}, none, 0, zero)));
    assertEquals(Problem.CONTEXT_EXCEEDED, refused(order(new int[101], none, 0, zero)));
    assertEquals(Problem.CONTEXT_EXCEEDED, refused(order(new int[51], none, 0, zero)));
    assertEquals(
        Problem.CONTEXT_EXCEEDED, refused(order(new int[50], none, 0, zero)), "no room to answer");
    assertEquals(
        Problem.CONTEXT_EXCEEDED, refused(order(new int[10], OptionalInt.of(41), 0, zero)));
    assertEquals(
        Problem.INVALID_ARGUMENT, refused(order(new int[10], OptionalInt.of(-1), 0, zero)));
    assertEquals(Problem.PERMISSION_DENIED, refused(order(new int[] {1}, none, 6, zero)));
    assertEquals(
        Problem.DEADLINE_EXCEEDED, refused(order(new int[] {1}, none, 0, Duration.ofNanos(-1))));
    Order biased =
        new Order(
            "id",
            Caller.ANYBODY,
            new int[] {1},
            GenerationOptions.of(1, SamplingOptions.greedy().withLogitBias(Map.of(5000, 1f))),
            none,
            0,
            zero,
            "test");
    assertEquals(Problem.INVALID_ARGUMENT, refused(biased));
    desk.drain();
    assertEquals(Problem.UNAVAILABLE, refused(order()));
    desk.fail("gone");
    assertEquals(Problem.INTERNAL, refused(order()));
    desk.drain();
    assertEquals(Desk.State.FAILED, desk.state());
  }

  @Test
  void theLimitsOfTheContextAreExact() throws Exception {
    desk.open(ScriptedBackend.endless().withContext(50));
    for (OptionalInt most : List.of(OptionalInt.empty(), OptionalInt.of(40), OptionalInt.of(0))) {
      Heard heard = new Heard();
      desk.submit(order(new int[10], most, 5, Duration.ZERO), heard);
      assertEquals(most.orElse(40), heard.outcome().generation().generatedTokens());
    }
  }

  @Test
  void aFullQueueRefusesUntilOneHasGenerated() throws Exception {
    Semaphore pace = new Semaphore(0);
    desk.open(ScriptedBackend.endless().paced(pace));
    List<Ticket> tickets = new ArrayList<>();
    CountDownLatch unread = new CountDownLatch(1);
    Heard first =
        new Heard() {
          @Override
          public void finished(Outcome outcome) {
            super.finished(outcome);
            try {
              assertTrue(unread.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
          }
        };
    tickets.add(desk.submit(order(), first));
    for (int i = 1; i < 5; i++) {
      tickets.add(desk.submit(order(), new Heard()));
    }
    Refusal refusal = assertThrows(Refusal.class, () -> desk.submit(order(), new Heard()));
    assertEquals(Problem.OVERLOADED, refusal.problem());
    assertEquals(Duration.ofSeconds(1), refusal.retryAfter());
    tickets.getFirst().cancel();
    assertEquals(Generation.Reason.CANCELLED, first.outcome().generation().reason());
    desk.submit(order(), new Heard()); // its place is free, although its peer is still being told
    assertEquals(6, desk.unfinished());
    assertFalse(desk.awaitIdle(Duration.ofMillis(1)));
    unread.countDown();
  }

  @Test
  void cancelledBeforeWhileAndAfter() throws Exception {
    Semaphore pace = new Semaphore(0);
    desk.open(ScriptedBackend.endless().paced(pace));
    Heard heard = new Heard();
    Ticket ticket = desk.submit(order(), heard);
    ticket.cancel();
    ticket.cancel();
    assertEquals(Generation.Reason.CANCELLED, heard.outcome().generation().reason());
    ticket.cancel();
    Heard later = new Heard();
    Ticket other = desk.submit(order(), later);
    pace.release(3);
    while (later.tokens.size() < 3) {
      Thread.onSpinWait();
    }
    other.cancel();
    assertEquals(3, later.outcome().generation().generatedTokens());
    assertEquals(1, later.ends.size());
  }

  @Test
  void cancelStorm() throws Exception {
    desk.open(ScriptedBackend.endless());
    Random random = new Random(1);
    for (int round = 0; round < 500; round++) {
      Heard heard = new Heard();
      Ticket ticket =
          desk.submit(order(new int[1], OptionalInt.of(50), 0, Duration.ofMillis(5)), heard);
      for (int spin = random.nextInt(2000); spin > 0; spin--) {
        Thread.onSpinWait();
      }
      Thread cancel = Thread.ofVirtual().start(ticket::cancel);
      ticket.cancel();
      heard.end();
      cancel.join();
      assertEquals(1, heard.ends.size());
    }
  }

  @Test
  void deadlines() throws Exception {
    Semaphore pace = new Semaphore(0);
    desk.open(ScriptedBackend.saying("one two three").paced(pace));
    Heard never = new Heard();
    desk.submit(order(new int[1], OptionalInt.empty(), 0, Duration.ofNanos(1)), never);
    assertEquals(Problem.DEADLINE_EXCEEDED, never.problem());
    pace.release(2);
    Heard amid = new Heard();
    desk.submit(order(new int[1], OptionalInt.empty(), 0, Duration.ofMillis(100)), amid);
    assertEquals(Problem.DEADLINE_EXCEEDED, amid.problem());
    assertEquals(2, amid.tokens.size());
    pace.release(1000);
    for (Duration far : List.of(Duration.ofDays(1), Duration.ofSeconds(Long.MAX_VALUE))) {
      Heard heard = new Heard();
      desk.submit(order(new int[1], OptionalInt.empty(), 0, far), heard);
      assertEquals(Generation.Reason.STOP, heard.outcome().generation().reason());
    }
  }

  /** Who is done before the deadline is told so, even if it passes before that is said. */
  @Test
  void aDeadlineAfterTheEndChangesNothing() throws Exception {
    desk.open(ScriptedBackend.saying("x"));
    Heard heard =
        new Heard() {
          @Override
          public void finished(Outcome outcome) {
            try {
              Thread.sleep(300); // past the deadline: an interrupt would end it
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
            super.finished(outcome);
          }
        };
    desk.submit(order(new int[1], OptionalInt.empty(), 0, Duration.ofMillis(200)), heard);
    assertEquals(Generation.Reason.STOP, heard.outcome().generation().reason());
  }

  @Test
  void failuresOfTheBackendAreTold() throws Exception {
    ScriptedBackend backend = ScriptedBackend.endless();
    desk.open(backend);
    for (Throwable thrown :
        List.of(
            new IllegalStateException("a secret"),
            new OutOfMemoryError("a secret"),
            new StackOverflowError(),
            new IOException("checked"))) {
      backend.failingAfter(2, thrown);
      Heard heard = new Heard();
      desk.submit(order(), heard);
      assertEquals(Problem.INTERNAL, heard.problem());
      assertFalse(((Refusal) heard.end()).getMessage().contains("secret"));
      assertEquals(2, heard.tokens.size());
    }
    assertEquals(Desk.State.READY, desk.state());
    backend.stopped("the device is gone");
    Heard last = new Heard();
    desk.submit(order(), last);
    assertEquals(Problem.INTERNAL, last.problem());
    assertEquals(Desk.State.FAILED, desk.state());
    assertEquals("the device is gone", desk.detail());
  }

  @Test
  void failuresOfTheReplyEndItToo() throws Exception {
    desk.open(ScriptedBackend.endless());
    Heard slow =
        new Heard() {
          @Override
          public void token(
              int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
            super.token(id, utf8, length, probabilities);
            throw Refusal.of(Problem.SLOW_READER, "too slow");
          }
        };
    desk.submit(order(), slow);
    assertEquals(Problem.SLOW_READER, slow.problem());
    assertEquals(1, slow.tokens.size());
    Heard begins =
        new Heard() {
          @Override
          public void started() {
            throw new IllegalStateException("no");
          }
        };
    desk.submit(order(), begins);
    assertEquals(Problem.INTERNAL, begins.problem());
    // Who throws when it is told its end hears nothing more.
    Heard ends =
        new Heard() {
          @Override
          public void finished(Outcome outcome) {
            super.finished(outcome);
            throw new IllegalStateException("no");
          }
        };
    desk.submit(order(new int[1], OptionalInt.of(1), 0, Duration.ZERO), ends);
    ends.outcome();
    assertTrue(desk.awaitIdle(Duration.ofSeconds(20)));
    assertEquals(1, ends.ends.size());
  }

  @Test
  void drainingLetsEndAndClosingCancels() throws Exception {
    Semaphore pace = new Semaphore(0);
    desk.open(ScriptedBackend.saying("one").paced(pace));
    Heard heard = new Heard();
    desk.submit(order(), heard);
    CountDownLatch told = new CountDownLatch(2);
    desk.atDrain(told::countDown);
    desk.drain();
    desk.atDrain(told::countDown);
    assertEquals(0, told.getCount());
    desk.drain();
    assertEquals(Desk.State.DRAINING, desk.state());
    pace.release(100);
    assertEquals(Generation.Reason.STOP, heard.outcome().generation().reason());
    assertTrue(desk.awaitIdle(Duration.ofSeconds(20)));
  }

  /** Nothing is accepted behind the back of a desk that closes. */
  @Test
  void closingWhileOrdersCome() throws Exception {
    for (int round = 0; round < 50; round++) {
      Desk other = new Desk(new DeskLimits(1000, 1000, 100, Duration.ZERO), new DeskObserver() {});
      other.open(ScriptedBackend.endless().paced(new Semaphore(0)));
      List<Heard> accepted = new CopyOnWriteArrayList<>();
      Thread[] threads = new Thread[3];
      CountDownLatch go = new CountDownLatch(1);
      Arrays.setAll(
          threads,
          i ->
              Thread.ofVirtual()
                  .start(() -> {
                    try {
                      go.await();
                      while (true) {
                        Heard heard = new Heard();
                        other.submit(order(), heard);
                        accepted.add(heard);
                      }
                    } catch (Refusal | InterruptedException e) {
                      // It is closed.
                    }
                  }));
      go.countDown();
      other.close();
      for (Thread thread : threads) {
        thread.join();
      }
      assertTrue(other.awaitIdle(Duration.ofSeconds(20)));
      for (Heard heard : accepted) {
        assertEquals(1, heard.ends.size());
      }
    }
  }

  @Test
  void logLinesTellWhomTheyAreAbout() throws Exception {
    desk.open(ScriptedBackend.saying("x"));
    List<String> seen = new CopyOnWriteArrayList<>();
    Heard heard =
        new Heard() {
          @Override
          public void started() {
            seen.add(MDC.get("request") + " " + MDC.get("tenant"));
          }
        };
    desk.submit(order(), heard);
    heard.end();
    assertEquals(List.of("id t"), seen);
    assertEquals(null, MDC.get("request"));
  }
}
