package dev.tandem.server.request;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

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

  /** The order's id in log lines ({@link org.slf4j.MDC}). */
  public static final String LOG_REQUEST = "request";

  /** Whose token it was, in log lines ({@link org.slf4j.MDC}). */
  public static final String LOG_TENANT = "tenant";

  private final DeskLimits limits;
  private final DeskObserver observer;
  private final ScheduledThreadPoolExecutor deadlines = deadlines();
  private final LongAdder requests = new LongAdder();
  private final LongAdder promptTokens = new LongAdder();
  private final LongAdder generatedTokens = new LongAdder();
  private final long openedNanos = System.nanoTime();
  private final Set<Job> jobs = new HashSet<>(); // until all is said; guarded by this
  private int places; // taken: fewer than jobs while the last words are said; guarded by this
  private final List<Runnable> atDrain = new ArrayList<>(); // guarded by this
  private volatile State state = State.LOADING;
  private volatile String detail = "the model is being loaded";
  private volatile Optional<Backend> backend = Optional.empty();

  public Desk(DeskLimits limits, DeskObserver observer) {
    this.limits = limits;
    this.observer = observer;
  }

  private static ScheduledThreadPoolExecutor deadlines() {
    ScheduledThreadPoolExecutor timer =
        new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().daemon().name("tandem-deadlines").unstarted(task));
    timer.setRemoveOnCancelPolicy(true);
    return timer;
  }

  /**
   * The model can be asked from now on, unless the desk drains already: then it is only known, so
   * that its owner finds it.
   */
  public synchronized void open(Backend loaded) {
    backend = Optional.of(loaded);
    if (state == State.LOADING) {
      detail = "";
      state = State.READY;
    }
  }

  /** The model cannot be loaded, or the engine has stopped. */
  public synchronized void fail(String why) {
    detail = why;
    state = State.FAILED;
  }

  /** Refuses new orders from now on; those that were accepted go on. */
  public void drain() {
    List<Runnable> told;
    synchronized (this) {
      if (state != State.FAILED) {
        detail = "the server is ending";
        state = State.DRAINING;
      }
      told = List.copyOf(atDrain);
      atDrain.clear();
    }
    told.forEach(Runnable::run);
  }

  /** Has something done when the desk begins to drain; at once, if it does already. */
  public void atDrain(Runnable action) {
    synchronized (this) {
      if (state != State.DRAINING) {
        atDrain.add(action);
        return;
      }
    }
    action.run();
  }

  public State state() {
    return state;
  }

  /** How far loading is, or what failed. */
  public String detail() {
    return detail;
  }

  /** Says how far loading is. */
  public synchronized void progress(String text) {
    if (state == State.LOADING) {
      detail = text;
    }
  }

  public DeskLimits limits() {
    return limits;
  }

  /** What has been done so far. */
  public DeskTotals totals() {
    return new DeskTotals(
        requests.sum(),
        promptTokens.sum(),
        generatedTokens.sum(),
        Duration.ofNanos(System.nanoTime() - openedNanos));
  }

  /** Orders that have not ended. */
  public synchronized int unfinished() {
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
    long arrived = System.nanoTime();
    try {
      return accept(order, reply, arrived);
    } catch (Refusal e) {
      LogLines.about(order.id(), order.caller(), () -> observer.refused(order, e));
      throw e;
    }
  }

  private Ticket accept(Order order, Reply reply, long arrived) {
    Backend generator = ready();
    Order settled = OrderCheck.settled(order, generator.card(), limits);
    Job job = new Job(this, settled, reply, generator, arrived);
    synchronized (this) {
      ready(); // it may have begun to drain meanwhile
      if (places >= limits.parallel() + limits.queue()) {
        throw Refusal.of(
                Problem.OVERLOADED,
                "%d requests run or wait, which is all that this server takes (--parallel, --queue)"
                    .formatted(places))
            .retryAfter(limits.retryAfter());
      }
      job.start();
      jobs.add(job);
      places++;
    }
    requests.increment();
    return job;
  }

  /**
   * Waits until all orders have ended.
   *
   * @return whether they have, within that time
   */
  public synchronized boolean awaitIdle(Duration most) throws InterruptedException {
    long end = System.nanoTime() + most.toNanos();
    while (!jobs.isEmpty()) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
    return true;
  }

  /** Refuses new orders, and cancels all others. The backend stays open: it is its owner's. */
  @Override
  public void close() {
    drain();
    List<Job> unfinished;
    synchronized (this) {
      unfinished = List.copyOf(jobs);
    }
    unfinished.forEach(Job::cancel);
    deadlines.shutdownNow();
  }

  // ---- for jobs ----

  DeskObserver observer() {
    return observer;
  }

  ScheduledThreadPoolExecutor timer() {
    return deadlines;
  }

  /** A job has generated what it will: another one may come, whatever its peer is told yet. */
  synchronized void leave(Job job, int prompt, int generated) {
    places--;
    promptTokens.add(prompt);
    generatedTokens.add(generated);
  }

  /** A job has said all. */
  synchronized void gone(Job job) {
    jobs.remove(job);
    if (jobs.isEmpty()) {
      notifyAll();
    }
  }
}
