package dev.tandem.engine;

import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.schedule.Context;
import dev.tandem.engine.schedule.Scheduler;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import java.util.Optional;

/**
 * Runs the steps that a scheduler plans, one at a time: puts the tokens of its members together,
 * runs them, samples, and gives each member what came of it. Belongs to the engine's thread, but
 * for what stops a step.
 */
final class Steps implements AutoCloseable {

  private static final int LOST = Sampler.PENDING - 1; // its draw went with the device

  private final Scheduler<Run> scheduler;
  private final AbortFlag abort = new AbortFlag();
  private final AbortFlag never = new AbortFlag(); // what takes so short is not worth stopping
  private final int[] tokens;
  private final int[] outputs;
  private final int[] sampled;
  private boolean lastWasAborted;
  private volatile boolean stopped;

  /**
   * @param capacity of a step of the engines that they will run on
   */
  Steps(Scheduler<Run> scheduler, StepCapacity capacity) {
    this.scheduler = scheduler;
    tokens = new int[capacity.tokens()];
    outputs = new int[capacity.outputs()];
    sampled = new int[capacity.outputs()];
  }

  // ---- from any thread ----

  /** Stops the step that a run is in, if it may be stopped for it; the run has been cancelled. */
  void stopFor(Run run) {
    if (run.isStoppable()) {
      abort.set();
    }
  }

  /** Stops the step that runs now, and all to come. */
  void stop() {
    stopped = true;
    abort.set();
  }

  /** No step runs any more, nor will. */
  @Override
  public void close() {
    abort.close();
    never.close();
  }

  // ---- the engine's thread ----

  /**
   * Runs the step that was planned. What fails in it fails those who are in it.
   *
   * @return why the device is lost, if it is: who is in the step can go on with another one
   */
  Optional<RuntimeFailure> run(Engine engine) {
    try {
      assemble(engine);
      boolean measured = engine.isLoaded(); // else it waits, and says nothing of later ones
      long started = System.nanoTime();
      runStoppable(engine);
      if (measured) {
        scheduler.ran(System.nanoTime() - started);
      }
    } catch (RuntimeFailure e) {
      if (CurrentEngine.isLoss(e)) {
        return Optional.of(e);
      }
      if (e.status() == RuntimeFailure.Status.ABORTED) {
        lastWasAborted = true; // those who did not ask for it are in the next step
      } else {
        failed(e);
      }
      return Optional.empty();
    } catch (RuntimeException e) {
      failed(e);
      return Optional.empty();
    }
    lastWasAborted = false;
    Optional<RuntimeFailure> loss = sample(engine);
    for (int i = 0; i < scheduler.members(); i++) {
      deliver(engine, i);
    }
    return loss;
  }

  private void assemble(Engine engine) {
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
  private void runStoppable(Engine engine) {
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
    if (stopped) {
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

  /**
   * Samples the tokens of all outputs; draws from whole rows are made together.
   *
   * @return why the device was lost over them, if it was
   */
  private Optional<RuntimeFailure> sample(Engine engine) {
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
    return pending ? pick(engine) : Optional.empty();
  }

  private Optional<RuntimeFailure> pick(Engine engine) {
    try {
      engine.pick(never);
      return Optional.empty();
    } catch (RuntimeException e) {
      boolean lost = CurrentEngine.isLoss(e);
      for (int i = 0; i < scheduler.members(); i++) {
        Run run = scheduler.member(i);
        if (run.context().pending() == 0 && sampled[i] == Sampler.PENDING) {
          if (lost) {
            run.sampler().drawAgain();
            sampled[i] = LOST;
          } else {
            run.fail(e);
          }
        }
      }
      return lost ? Optional.of((RuntimeFailure) e) : Optional.empty();
    }
  }

  private void deliver(Engine engine, int member) {
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
      if (run.hasEnded()) {
        throw e; // it has been told its end: this is our own defect
      }
      run.fail(e);
    }
  }
}
