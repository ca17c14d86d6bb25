package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.sample.TokenProbabilities;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One order on its way: a virtual thread that generates, and tells the reply. An interrupt ends the
 * generation; it is only sent while there is one, so that the last words are said in peace.
 */
final class Job implements Ticket, GenerationListener {

  private static final Logger log = LoggerFactory.getLogger(Job.class);

  private final Desk desk;
  private final Order order;
  private final Reply reply;
  private final Backend generator;
  private final long arrived;
  private final Thread thread;
  private boolean ended; // guarded by this
  private volatile boolean pastDeadline;
  private int generated;

  // The token that is being told; text behind the last one is the rest.
  private int token;
  private Optional<TokenProbabilities> probabilities = Optional.empty();
  private byte[] text = new byte[64];
  private int textLength;

  /**
   * @param arrived when the order came ({@link System#nanoTime})
   */
  Job(Desk desk, Order order, Reply reply, Backend generator, long arrived) {
    this.desk = desk;
    this.order = order;
    this.reply = reply;
    this.generator = generator;
    this.arrived = arrived;
    thread =
        Thread.ofVirtual()
            .name("request " + order.id())
            .unstarted(() -> LogLines.about(order.id(), order.caller(), this::run));
  }

  void start() {
    thread.start();
  }

  @Override
  public synchronized void cancel() {
    if (!ended) {
      thread.interrupt();
    }
  }

  private void expire() {
    pastDeadline = true;
    cancel();
  }

  private void run() {
    try {
      Runnable lastWords = serve();
      end();
      desk.leave(this, order.prompt().length, generated);
      lastWords.run();
    } catch (Throwable e) { // its end is as it is: there is nobody left to tell
      log.warn("the peer could not be told how its request ended", e);
    } finally {
      desk.gone(this);
    }
  }

  /** Generates, and returns what is to be told of the end. */
  private Runnable serve() {
    Optional<Future<?>> deadline = Optional.empty();
    try {
      desk.observer().accepted(order);
      deadline = deadline();
      reply.started();
      long began = System.nanoTime();
      Generation generation =
          generator.generate(order.prompt(), order.options(), order.priority(), this);
      if (pastDeadline && generation.reason() == Generation.Reason.CANCELLED) {
        throw Refusal.of(
            Problem.DEADLINE_EXCEEDED,
            "deadline",
            "the deadline of %d ms has passed; %d tokens were generated"
                .formatted(order.deadline().toMillis(), generated));
      }
      Outcome outcome = outcome(generation, Duration.ofNanos(began - arrived));
      return () -> finish(outcome);
    } catch (Refusal e) {
      return () -> fail(e);
    } catch (Throwable e) { // errors too: whatever happens, the peer does not wait for ever
      log.error("the generation failed", e);
      generator.failure().ifPresent(desk::fail);
      Refusal refusal =
          Refusal.of(
              Problem.INTERNAL,
              "the generation failed; the server's log tells why (request %s)"
                  .formatted(order.id()));
      return () -> fail(refusal);
    } finally {
      deadline.ifPresent(timer -> timer.cancel(false));
    }
  }

  private Optional<Future<?>> deadline() {
    if (order.deadline().isZero()) {
      return Optional.empty();
    }
    long left = arrived + order.deadline().toNanos() - System.nanoTime();
    try {
      return Optional.of(desk.timer().schedule(this::expire, left, TimeUnit.NANOSECONDS));
    } catch (RejectedExecutionException e) {
      throw Refusal.of(Problem.UNAVAILABLE, "the server is ending");
    }
  }

  /** The thread is not interrupted from here on: what is left is to say so. */
  private synchronized void end() {
    ended = true;
    Thread.interrupted();
  }

  private Outcome outcome(Generation generation, Duration before) {
    return new Outcome(
        generation,
        new String(text, 0, textLength, StandardCharsets.UTF_8),
        order.prompt().length,
        before.plus(generation.queued()),
        before.plus(generation.firstToken()),
        Duration.ofNanos(System.nanoTime() - arrived));
  }

  private void finish(Outcome outcome) {
    try {
      desk.observer().finished(order, outcome);
    } finally {
      reply.finished(outcome);
    }
  }

  private void fail(Refusal refusal) {
    try {
      desk.observer().failed(order, refusal);
    } finally {
      reply.failed(refusal);
    }
  }

  @Override
  public void token(int id) {
    token = id;
  }

  @Override
  public void probabilities(TokenProbabilities likely) {
    probabilities = Optional.of(likely);
  }

  @Override
  public void text(byte[] utf8, int offset, int length) {
    if (text.length < textLength + length) {
      text = Arrays.copyOf(text, Math.max(2 * text.length, textLength + length));
    }
    System.arraycopy(utf8, offset, text, textLength, length);
    textLength += length;
  }

  @Override
  public void tokenComplete() {
    generated++;
    reply.token(token, text, textLength, probabilities);
    textLength = 0;
    probabilities = Optional.empty();
  }
}
