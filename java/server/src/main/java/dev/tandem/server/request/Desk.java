package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes orders of all protocols, refuses what cannot be served, and sees the others to their end:
 * one virtual thread for each, which generates and replies. Safe for use from many threads; {@link
 * #submit} never blocks, so that event loops may call it.
 */
public final class Desk implements AutoCloseable {

  /** Where the model is. */
  public enum State {
    LOADING,
    READY,
    DRAINING,
    FAILED
  }

  private static final Logger log = LoggerFactory.getLogger(Desk.class);

  private final DeskLimits limits;
  private final DeskObserver observer;
  private final Set<Job> jobs = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService deadlines = deadlines();
  private volatile State state = State.LOADING;
  private volatile String detail = "the model is being loaded";
  private volatile Optional<Backend> backend = Optional.empty();

  public Desk(DeskLimits limits, DeskObserver observer) {
    this.limits = limits;
    this.observer = observer;
  }

  private static ScheduledExecutorService deadlines() {
    ScheduledThreadPoolExecutor timer =
        new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().daemon().name("tandem-deadlines").unstarted(task));
    timer.setRemoveOnCancelPolicy(true);
    return timer;
  }

  /** The model can be asked from now on. */
  public synchronized void open(Backend loaded) {
    if (state == State.LOADING) {
      backend = Optional.of(loaded);
      state = State.READY;
      detail = "";
    }
  }

  /** The model cannot be loaded, or the engine has stopped. */
  public synchronized void fail(String why) {
    state = State.FAILED;
    detail = why;
  }

  /** Refuses new orders from now on; those that were accepted go on. */
  public synchronized void drain() {
    if (state != State.FAILED) {
      state = State.DRAINING;
      detail = "the server is ending";
    }
  }

  public State state() {
    return state;
  }

  /** How far loading is, or what failed. */
  public String detail() {
    return detail;
  }

  /** Says how far loading is. */
  public void progress(String text) {
    if (state == State.LOADING) {
      detail = text;
    }
  }

  /** Orders that have not ended. */
  public int unfinished() {
    return jobs.size();
  }

  /** What generates, once it is loaded; also while the desk drains. */
  public Optional<Backend> backend() {
    return backend;
  }

  /**
   * What generates.
   *
   * @throws Refusal if it is not there yet, or no more
   */
  public Backend ready() {
    return switch (state) {
      case READY -> backend.orElseThrow();
      case LOADING -> throw Refusal.of(Problem.LOADING, detail).retryAfter(limits.retryAfter());
      case DRAINING ->
          throw Refusal.of(Problem.UNAVAILABLE, detail).retryAfter(limits.retryAfter());
      case FAILED -> throw Refusal.of(Problem.INTERNAL, detail);
    };
  }

  /**
   * Accepts an order; from then on the reply hears of it.
   *
   * @throws Refusal if it is not accepted; then the reply hears nothing
   */
  public Ticket submit(Order order, Reply reply) {
    try {
      return accept(order, reply);
    } catch (Refusal e) {
      observer.refused(order, e);
      throw e;
    }
  }

  private Ticket accept(Order order, Reply reply) {
    long arrived = System.nanoTime();
    Backend generator = ready();
    Order checked = checked(order, generator.card());
    Job job = new Job(checked, reply, generator, arrived);
    synchronized (jobs) { // so that no two take the last place
      if (jobs.size() >= limits.parallel() + limits.queue()) {
        throw Refusal.of(
                Problem.OVERLOADED,
                "%d requests run or wait, which is all that this server takes (--parallel, --queue)"
                    .formatted(jobs.size()))
            .retryAfter(limits.retryAfter());
      }
      jobs.add(job);
    }
    observer.accepted(checked);
    job.start();
    return job;
  }

  /** The order with its number of tokens settled. */
  private Order checked(Order order, ModelCard card) {
    int prompt = order.prompt().length;
    if (prompt == 0) {
      throw Refusal.of(
          Problem.INVALID_ARGUMENT, "prompt", "the prompt is empty: at least one token is needed");
    }
    if (prompt > limits.promptTokens()) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "prompt",
          "the prompt has %d tokens, and this server takes %d (--max-prompt-tokens)"
              .formatted(prompt, limits.promptTokens()));
    }
    int room = card.contextTokens() - prompt;
    if (room < 0 || order.maxTokens().orElse(0) > room) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "max_tokens",
          "the prompt has %d tokens and %d are to be generated: the context has room for %d (-c)"
              .formatted(prompt, order.maxTokens().orElse(0), card.contextTokens()));
    }
    for (int id : order.prompt()) {
      if (id < 0 || id >= card.vocabulary()) {
        throw Refusal.of(
            Problem.INVALID_ARGUMENT,
            "prompt",
            "token %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(id, card.vocabulary() - 1));
      }
    }
    if (order.priority() > order.caller().highestPriority()) {
      throw Refusal.of(
          Problem.PERMISSION_DENIED,
          "priority",
          "priority %d is above %d, the highest that this token allows"
              .formatted(order.priority(), order.caller().highestPriority()));
    }
    if (order.deadline().isNegative()) {
      throw Refusal.of(Problem.DEADLINE_EXCEEDED, "deadline", "the deadline has passed already");
    }
    try {
      order.options().sampling().requireFitting(card.vocabulary());
    } catch (IllegalArgumentException e) {
      throw Refusal.of(Problem.INVALID_ARGUMENT, e.getMessage());
    }
    GenerationOptions asked = order.options();
    GenerationOptions options =
        new GenerationOptions(
            order.maxTokens().orElse(room),
            asked.sampling(),
            asked.ignoreEnd(),
            asked.stop(),
            asked.logProbabilities());
    return new Order(
        order.id(),
        order.caller(),
        order.prompt(),
        options,
        order.maxTokens(),
        order.priority(),
        order.deadline(),
        order.protocol());
  }

  /**
   * Waits until all orders have ended.
   *
   * @return whether they have, within that time
   */
  public boolean awaitIdle(Duration most) throws InterruptedException {
    long end = System.nanoTime() + most.toNanos();
    while (!jobs.isEmpty()) {
      if (System.nanoTime() - end >= 0) {
        return false;
      }
      Thread.sleep(10);
    }
    return true;
  }

  /** Refuses new orders, and cancels all others. The backend stays open: it is its owner's. */
  @Override
  public void close() {
    drain();
    jobs.forEach(Job::cancel);
    deadlines.shutdownNow();
  }

  /** One order on its way. */
  private final class Job implements Ticket, GenerationListener {
    private final Order order;
    private final Reply reply;
    private final Backend generator;
    private final long arrived;
    private final Thread thread;
    private volatile boolean pastDeadline;
    private boolean ended; // guarded by this: no interrupt comes after it

    // The token that is being told; text behind the last one is the rest.
    private int token;
    private Optional<TokenProbabilities> probabilities = Optional.empty();
    private byte[] text = new byte[64];
    private int textLength;

    Job(Order order, Reply reply, Backend generator, long arrived) {
      this.order = order;
      this.reply = reply;
      this.generator = generator;
      this.arrived = arrived;
      thread = Thread.ofVirtual().name("request " + order.id()).unstarted(this::run);
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
      Optional<ScheduledFuture<?>> deadline = Optional.empty();
      try {
        if (!order.deadline().isZero()) {
          deadline =
              Optional.of(
                  deadlines.schedule(
                      this::expire, order.deadline().toNanos(), TimeUnit.NANOSECONDS));
        }
        reply.started();
        Generation generation =
            generator.generate(order.prompt(), order.options(), order.priority(), this);
        end();
        if (pastDeadline) {
          throw Refusal.of(Problem.DEADLINE_EXCEEDED, "the deadline has passed");
        }
        finish(generation);
      } catch (Refusal e) {
        fail(e);
      } catch (RuntimeException e) {
        log.error("request {}: the generation failed", order.id(), e);
        fail(Refusal.of(Problem.INTERNAL, "the generation failed: " + e.getMessage()));
      } finally {
        deadline.ifPresent(timer -> timer.cancel(false));
        jobs.remove(this);
      }
    }

    /** The thread is not interrupted from here on: what is left is to say so. */
    private synchronized void end() {
      ended = true;
      Thread.interrupted();
    }

    private void fail(Refusal refusal) {
      end();
      observer.failed(order, refusal);
      reply.failed(refusal);
    }

    private void finish(Generation generation) {
      Outcome outcome =
          new Outcome(
              generation,
              new String(text, 0, textLength, StandardCharsets.UTF_8),
              order.prompt().length,
              Duration.ZERO,
              generation.firstToken(),
              Duration.ofNanos(System.nanoTime() - arrived));
      observer.finished(order, outcome);
      reply.finished(outcome);
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
      reply.token(token, text, textLength, probabilities);
      textLength = 0;
      probabilities = Optional.empty();
    }
  }
}
