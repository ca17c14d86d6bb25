package dev.tandem.server.http;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what other threads do. */
final class Await {

  private static final Duration MOST = Duration.ofSeconds(20);

  private Await() {}

  /** Returns when it holds, which must be soon. */
  static void until(BooleanSupplier holds) {
    long end = System.nanoTime() + MOST.toNanos();
    while (!holds.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("it has not come to be within " + MOST.toSeconds() + " s");
      }
      LockSupport.parkNanos(1_000_000);
    }
  }
}
