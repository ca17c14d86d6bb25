package dev.tandem.engine;

import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.schedule.Context;
import dev.tandem.engine.schedule.Scheduler;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * The thread that runs a model's steps: takes what sessions ask for, puts it together to steps as
 * the scheduler decides, runs them, and gives each generation its tokens. Everything of the engine
 * and of the contexts that are under way belongs to this thread; others leave orders.
 */
final class EngineLoop {

  private static final long STEP_NANOS = 200_000_000; // with decoding requests; see Scheduler

  private static final int LOST = Sampler.PENDING - 1; // its draw went with the device

  private volatile Engine engine; // another one if the device is lost; the thread's to change
  private final Fallback fallback;
  private final Scheduler<Run> scheduler;
  private final AbortFlag abort = new AbortFlag();
  private final AbortFlag never = new AbortFlag(); // what takes so short is not worth stopping
  private final Queue<Runnable> orders = new ConcurrentLinkedQueue<>();
  private final int[] tokens;
  private final int[] outputs;
  private final int[] sampled;
  private Optional<Thread> thread = Optional.empty(); // guarded by this
  private boolean closed; // guarded by this
  private Optional<Throwable> defect = Optional.empty(); // that ended the thread; guarded by this
  private boolean lastWasAborted;
  private Optional<RuntimeFailure> pickLoss = Optional.empty();
  private volatile Optional<String> deviceLoss;
  private volatile boolean someCancelled;
  private volatile boolean called; // somebody left an order, or changed what can run
  private volatile boolean closing;

  // How busy it is, for others to read.
  private volatile int running;
  private volatile int waiting;
  private volatile int lastStep;
  private volatile int blocksUsed;

  /**
   * @param fallback for a device that is lost
   * @param deviceLoss why the engine is not on the device that was asked for, if it is not
   */
  EngineLoop(Engine engine, Fallback fallback, Optional<String> deviceLoss) {
    this.engine = engine;
    this.fallback = fallback;
    this.deviceLoss = deviceLoss;
    int stepTokens = engine.step().capacity().tokens();
    int running = engine.step().capacity().outputs();
    Scheduler.Limits limits =
        new Scheduler.Limits(stepTokens, running, engine.kvTokens(), STEP_NANOS);
    scheduler = new Scheduler<>(engine.cache(), limits);
    tokens = new int[stepTokens];
    outputs = new int[running];
    sampled = new int[running];
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

  /** What runs the steps now. */
  Engine engine() {
    return engine;
  }

  /** Why it is another one than at the beginning, if it is. */
  Optional<String> deviceLoss() {
    return deviceLoss;
  }

  /** Waits until all weights are loaded, wherever that comes to be. */
  void awaitLoaded() {
    for (; ; ) {
      Engine current = engine;
      try {
        current.awaitLoaded();
        return;
      } catch (RuntimeException e) {
        if (e instanceof RuntimeFailure failure && fallback.isFor(failure)) {
          leave(current, failure);
        } else if (current == engine) {
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
        if (engine == lost && !closing) {
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
    if (run.isStoppable()) {
      abort.set();
    }
    call();
  }

  /** How busy it is. */
  EngineLoad load() {
    return new EngineLoad(running, waiting, lastStep, engine.cache().blocks(), blocksUsed);
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
    abort.set();
    call();
    running.ifPresent(EngineLoop::join); // whoever closes waits, not only the first
    abort.close();
    never.close();
  }

  private synchronized void order(Runnable order) {
    if (closed) {
      String name = engine.model().name();
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
          step();
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
    running = scheduler.running();
    waiting = scheduler.waiting();
    blocksUsed = engine.cache().blocks() - engine.cache().freeBlocks();
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
      if (defect.isPresent()) {
        run.fail(stopped("the engine has stopped", defect.get()));
      } else {
        run.end(Generation.Reason.CANCELLED);
      }
    }
  }

  private void begin(Run run) {
    Context context = run.context();
    engine.cache().truncate(context.sequence(), Math.min(run.keep(), context.sequence().length()));
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

  private void step() {
    try {
      assemble();
      boolean measured = engine.isLoaded(); // else it waits, and says nothing of later ones
      long started = System.nanoTime();
      run();
      if (measured) {
        scheduler.ran(System.nanoTime() - started);
      }
    } catch (RuntimeFailure e) {
      if (e.status() == RuntimeFailure.Status.ABORTED) {
        lastWasAborted = true; // those who did not ask for it are in the next step
      } else if (Fallback.isLoss(e)) {
        lost(e);
      } else {
        failed(e);
      }
      return;
    } catch (RuntimeException e) {
      failed(e);
      return;
    }
    lastWasAborted = false;
    sample();
    for (int i = 0; i < scheduler.members(); i++) {
      deliver(i);
    }
    if (pickLoss.isPresent()) {
      RuntimeFailure loss = pickLoss.get();
      pickLoss = Optional.empty();
      lost(loss);
    }
  }

  /**
   * The device is gone, with all that it held. Goes on elsewhere, where texts are read again, or
   * throws what ends everything.
   */
  private void lost(RuntimeFailure failure) {
    if (!fallback.isFor(failure)) {
      throw failure;
    }
    Engine before = engine;
    Engine next = fallback.after(before, failure);
    deviceLoss = Optional.of(failure.getMessage());
    engine = next;
    scheduler.moveTo(next.cache());
    tellLoad();
    before.close();
  }

  /** Samples the tokens of all outputs; draws from whole rows are made together. */
  private void sample() {
    boolean pending = false;
    for (int i = 0; i < scheduler.members(); i++) {
      Run run = scheduler.member(i);
      if (run.context().pending() == 0) {
        try {
          sampled[i] = run.sampler().sample(engine.step(), outputs[i]);
          pending |= sampled[i] == Sampler.PENDING;
        } catch (RuntimeException e) {
          run.fail(e);
        }
      }
    }
    if (pending) {
      pick();
    }
  }

  private void pick() {
    try {
      engine.pick(never);
    } catch (RuntimeException e) {
      if (Fallback.isLoss(e)) {
        pickLoss = Optional.of((RuntimeFailure) e);
      }
      for (int i = 0; i < scheduler.members(); i++) {
        Run run = scheduler.member(i);
        if (run.context().pending() == 0 && sampled[i] == Sampler.PENDING) {
          if (pickLoss.isPresent()) {
            run.sampler().drawAgain();
            sampled[i] = LOST;
          } else {
            run.fail(e);
          }
        }
      }
    }
  }

  private void assemble() {
    engine.begin();
    for (int i = 0; i < scheduler.members(); i++) {
      Run run = scheduler.member(i);
      int count = scheduler.count(i);
      Context context = run.context();
      for (int t = 0; t < count; t++) {
        tokens[t] = context.ids().get(context.sequence().length() + t);
      }
      boolean last = count == context.pending();
      outputs[i] =
          engine.add(
              context.sequence(),
              tokens,
              0,
              count,
              last ? Engine.Outputs.LAST : Engine.Outputs.NONE);
      if (last) {
        run.sampler().adjust(engine.step(), outputs[i]);
      }
    }
  }

  /**
   * Runs the step. Who is cancelled stops it, even if others are in it, who then lose its time: but
   * not twice in a row, or a peer who starts and cancels could stop them for ever.
   */
  private void run() {
    boolean stoppable = scheduler.members() == 1 || !lastWasAborted;
    abort.clear();
    for (int i = 0; i < scheduler.members(); i++) {
      Run run = scheduler.member(i);
      run.stepBegins();
      run.setStoppable(stoppable);
      if (stoppable && run.isCancelled()) {
        abort.set(); // cancelled while nobody looked
      }
    }
    if (closing) {
      abort.set();
    }
    try {
      engine.run(abort);
    } finally {
      for (int i = 0; i < scheduler.members(); i++) {
        scheduler.member(i).setStoppable(false);
      }
    }
  }

  private void failed(RuntimeException failure) {
    if (scheduler.failed()) {
      scheduler.member(0).fail(failure);
    }
  }

  private void deliver(int member) {
    Run run = scheduler.member(member);
    if (run.hasEnded()) {
      return; // it could not be sampled
    }
    Context context = run.context();
    context.publish();
    int count = scheduler.count(member);
    if (context.pending() > 0) {
      run.readPrompt(count);
      return;
    }
    if (sampled[member] == LOST) {
      return; // its row will be computed again
    }
    try {
      int token = sampled[member];
      if (token == Sampler.PENDING) {
        token = run.sampler().picked(engine.step());
      }
      run.sampled(token, count, engine.step(), outputs[member]);
    } catch (RuntimeException e) {
      run.fail(e);
    }
  }
}
