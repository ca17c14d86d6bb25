package dev.tandem.server;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waits for what other threads do, at most 20 s. */
public final class Await {

  private static final Duration MOST = Duration.ofSeconds(20);

  private Await() {}

  /** Returns when it holds, which must be soon. */
  public static void until(BooleanSupplier state) {
    long end = System.nanoTime() + MOST.toNanos();
    while (!state.getAsBoolean()) {
      assertTrue(System.nanoTime() - end < 0, "it did not come to that");
      sleep(5);
    }
  }

  /** As long as it takes to see that something does not go on; too short only proves less. */
  public static void pause() {
    sleep(300);
  }

  /** Whether the thread ends in time. */
  public static boolean ended(Thread thread) {
    try {
      return thread.join(MOST);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }
}
