package dev.tandem.cli.load;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/** Sends a workload to a server, each request on a virtual thread. */
public final class LoadRun {

  private final LoadTarget target;
  private final int concurrency;
  private final long seed;

  /**
   * @param concurrency requests under way at the same time, at most: those of an open load that
   *     come meanwhile wait here, and their waiting counts
   */
  public LoadRun(LoadTarget target, int concurrency, long seed) {
    this.target = target;
    this.concurrency = concurrency;
    this.seed = seed;
  }

  /**
   * Runs to the end of the last request.
   *
   * @param done hears how many have ended
   */
  public LoadResult run(Workload workload, LongConsumer done) throws InterruptedException {
    Workload fitting = workload.within(target.contextTokens());
    Semaphore places = new Semaphore(concurrency);
    List<Future<Sample>> futures = new ArrayList<>();
    long started = System.nanoTime();
    AtomicLong ended = new AtomicLong();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < fitting.arrivals().size(); i++) {
        Arrival arrival = fitting.arrivals().get(i);
        int[] prompt = prompt(arrival.promptTokens(), i);
        long due = started + Math.round(arrival.seconds() * 1e9);
        if (fitting.closed()) {
          places.acquire();
        } else {
          TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
        }
        futures.add(
            threads.submit(() -> {
              if (!fitting.closed()) {
                places.acquire();
              }
              try {
                Sample sample = target.run(prompt, arrival.outputTokens());
                // From when it should have been sent: a load that waits for the server hides
                // how slow it is.
                return fitting.closed()
                    ? sample
                    : new Sample(
                        due, sample.first(), sample.ended(), sample.tokens(), sample.error());
              } finally {
                places.release();
                done.accept(ended.incrementAndGet());
              }
            }));
      }
    }
    List<Sample> samples = new ArrayList<>();
    for (Future<Sample> future : futures) {
      samples.add(sample(future));
    }
    return new LoadResult(samples, (System.nanoTime() - started) / 1e9);
  }

  /** Of a task that has ended. */
  private static Sample sample(Future<Sample> ended) throws InterruptedException {
    try {
      return ended.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException defect -> throw defect;
        case Error defect -> throw defect;
        case Throwable other -> throw new IllegalStateException(other);
      }
    }
  }

  /** Random tokens, the same for the same seed: no two prompts are alike, and no cache helps. */
  private int[] prompt(int tokens, int request) {
    SplittableRandom random = new SplittableRandom(seed + 1_000_003L * request);
    return random.ints(tokens, 0, target.vocabulary()).toArray();
  }
}
