package dev.tandem.engine;

import dev.tandem.engine.kv.KvCache;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.schedule.Context;
import dev.tandem.engine.schedule.Scheduler;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * The thread that runs a model's steps: takes what sessions ask for, lets the scheduler decide what
 * comes next, and runs that. Everything of the engine and of the contexts that are under way
 * belongs to this thread; others leave orders.
 */
final class EngineLoop {

  private static final long STEP_NANOS = 200_000_000; // with decoding requests; see Scheduler

  private final CurrentEngine engine;
  private final Scheduler<Run> scheduler;
  private final Steps steps;
  private final Queue<Runnable> orders = new ConcurrentLinkedQueue<>();
  private Optional<Thread> thread = Optional.empty(); // guarded by this
  private boolean closed; // guarded by this
  private Optional<Throwable> defect = Optional.empty(); // that ended the thread; guarded by this
  private volatile boolean someCancelled;
  private volatile boolean called; // somebody left an order, or changed what can run
  private volatile boolean closing;

  // How busy it is, for others to read.
  private volatile int running;
  private volatile int waiting;
  private volatile int lastStep;
  private volatile int blocksUsed;

  EngineLoop(CurrentEngine engine) {
    this.engine = engine;
    Engine first = engine.get();
    StepCapacity step = first.step().capacity();
    Scheduler.Limits limits =
        new Scheduler.Limits(step.tokens(), step.outputs(), first.kvTokens(), STEP_NANOS);
    scheduler = new Scheduler<>(first.cache(), limits);
    steps = new Steps(scheduler, step);
  }

  // ---- from any thread ----

  /**
   * Starts a generation.
   *
   * @throws IllegalStateException if the model is closed
   */
  void submit(Run run) {
    order(() -> {
      try {
        begin(run);
      } catch (Throwable e) { // nobody else knows of it yet
        run.fail(new IllegalStateException("the generation could not begin: " + e, e));
      }
    });
  }

  /** Waits until all weights are loaded, wherever that comes to be. */
  void awaitLoaded() {
    for (; ; ) {
      Engine current = engine.get();
      try {
        current.awaitLoaded();
        return;
      } catch (RuntimeException e) {
        if (e instanceof RuntimeFailure failure && engine.isLeftFor(failure)) {
          leave(current, failure);
        } else if (current == engine.get()) {
          throw e;
        }
      }
    }
  }

  /** Waits until the thread has left an engine whose device is lost. */
  private void leave(Engine lost, RuntimeFailure failure) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    order(() -> {
      try {
        if (engine.get() == lost) {
          lost(failure);
        }
        done.complete(null);
      } catch (RuntimeException e) {
        done.completeExceptionally(e);
        throw e;
      }
    });
    try {
      done.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  /** Ends a generation as soon as possible; its channel says when. */
  void cancel(Run run) {
    run.cancel();
    someCancelled = true;
    steps.stopFor(run);
    call();
  }

  /** How busy it is. */
  EngineLoad load() {
    return new EngineLoad(running, waiting, lastStep, engine.get().cache().blocks(), blocksUsed);
  }

  /** What ended the thread, if it did not end by {@link #close}. */
  synchronized Optional<Throwable> defect() {
    return defect;
  }

  /** Gives back what a context has in the cache; no generation of it is under way. */
  void forget(Context context) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    synchronized (this) {
      if (closed) {
        return;
      }
      order(() -> {
        try {
          scheduler.forget(context);
          context.ids().clear();
          tellLoad();
        } finally {
          done.complete(null);
        }
      });
    }
    done.join();
  }

  /** Looks again what can run. */
  void call() {
    called = true;
    Thread sleeping;
    synchronized (this) {
      sleeping = thread.orElse(null);
    }
    LockSupport.unpark(sleeping);
  }

  /** Ends all generations, and then the thread: when it returns, nothing runs any more. */
  void close() {
    Optional<Thread> running;
    synchronized (this) {
      closed = true;
      running = thread;
    }
    closing = true;
    steps.stop();
    call();
    running.ifPresent(EngineLoop::join); // whoever closes waits, not only the first
    steps.close();
  }

  private synchronized void order(Runnable order) {
    if (closed) {
      String name = engine.get().model().name();
      throw defect
          .map(cause -> stopped(name + " has stopped: " + cause, cause))
          .orElseGet(() -> new IllegalStateException(name + " is closed"));
    }
    if (thread.isEmpty()) {
      thread = Optional.of(Thread.ofPlatform().daemon().name("tandem-engine").start(this::work));
    }
    orders.add(order);
    call();
  }

  /** What to tell of a defect: nothing else than what the device or the machine said, if it did. */
  private static RuntimeException stopped(String message, Throwable defect) {
    return defect instanceof RuntimeFailure || defect instanceof EngineException
        ? (RuntimeException) defect
        : new IllegalStateException(message, defect);
  }

  /** Waits for the end, whatever interrupts: memory that the thread works in is given back next. */
  private static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // ---- the engine's thread ----

  private void work() {
    try {
      while (!closing) {
        called = false; // before looking: who calls from now on is not missed
        takeOrders();
        endCancelled();
        boolean some = scheduler.plan();
        lastStep = scheduler.members();
        tellLoad();
        if (some) {
          Optional<RuntimeFailure> loss = steps.run(engine.get());
          if (loss.isPresent()) {
            lost(loss.get());
          }
        } else {
          awaitCall();
        }
      }
      finish(Optional.empty());
    } catch (Throwable e) { // a defect, or no memory: nobody may wait for ever
      synchronized (this) {
        closed = true;
        defect = Optional.of(e);
      }
      finish(Optional.of(e));
    }
  }

  private void tellLoad() {
    KvCache cache = engine.get().cache();
    running = scheduler.running();
    waiting = scheduler.waiting();
    blocksUsed = cache.blocks() - cache.freeBlocks();
  }

  /**
   * A run is about to tell its end: what it does not leave to its session's next one is free by
   * then.
   */
  void ending(Run run) {
    scheduler.end(run);
    if (run.isOnly()) {
      scheduler.forget(run.context());
    }
    tellLoad();
  }

  private void awaitCall() {
    while (!called) {
      LockSupport.park(this);
    }
  }

  /** Ends everybody, those too who have just come. */
  private void finish(Optional<Throwable> defect) {
    for (Runnable order = orders.poll(); order != null; order = orders.poll()) {
      try {
        order.run();
      } catch (Throwable e) {
        // Its caller has been told; the others have to be.
      }
    }
    for (Run run : scheduler.requests()) {
      try {
        if (defect.isPresent()) {
          run.fail(stopped("the engine has stopped", defect.get()));
        } else {
          run.end(Generation.Reason.CANCELLED);
        }
      } catch (Throwable e) {
        // One that cannot be ended is no reason for the others to wait for ever.
      }
    }
  }

  private void begin(Run run) {
    Context context = run.context();
    KvSequence sequence = context.sequence();
    engine.get().cache().truncate(sequence, Math.min(run.keep(), sequence.length()));
    context.ids().truncate(run.keep());
    context.ids().addAll(run.prompt());
    context.publish();
    run.begin();
    if (run.isCancelled()) { // so early that nobody looks for it
      run.end(Generation.Reason.CANCELLED);
    } else {
      scheduler.submit(run);
    }
  }

  private void takeOrders() {
    for (Runnable order = orders.poll(); order != null; order = orders.poll()) {
      order.run();
    }
  }

  private void endCancelled() {
    if (!someCancelled) {
      return;
    }
    someCancelled = false; // before looking, as above
    for (Run run : scheduler.requests()) {
      if (run.isCancelled()) {
        run.end(Generation.Reason.CANCELLED);
      }
    }
  }

  /**
   * The device is gone, with all that it held. Goes on elsewhere, where texts are read again, or
   * throws what ends everything.
   */
  private void lost(RuntimeFailure failure) {
    if (closing) {
      return; // everybody is ended next
    }
    if (!engine.isLeftFor(failure)) {
      throw failure;
    }
    Engine before = engine.leave(failure);
    scheduler.moveTo(engine.get().cache());
    tellLoad();
    before.close();
  }
}
