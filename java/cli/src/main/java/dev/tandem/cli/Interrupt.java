package dev.tandem.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C: the JVM begins to shut down, and what is installed here ends the work that goes on and
 * waits until the command has said its last word.
 */
final class Interrupt implements AutoCloseable {

  /** The exit code of an interrupted command. */
  static final int EXIT_CODE = 130;

  // Work ends within a millisecond; this is for a machine that has no time for us.
  private static final int ROUNDS = 40;
  private static final long ROUND_MILLIS = 50;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Runnable cancel;
  private final AtExit atExit;
  private volatile boolean happened;

  /**
   * From now on until it is closed.
   *
   * @param cancel ends the work; called from another thread, perhaps several times
   */
  Interrupt(Runnable cancel) {
    this.cancel = cancel;
    atExit = new AtExit(this::cancelAndWait);
    happened |= atExit.isTooLate();
  }

  /** Whether the process was told to end. */
  boolean happened() {
    return happened;
  }

  @Override
  public void close() {
    ended.countDown();
    atExit.close();
  }

  private void cancelAndWait() {
    happened = true;
    try {
      // Again and again: work that has not begun yet begins without a mark.
      for (int i = 0; i < ROUNDS; i++) {
        cancel.run();
        if (ended.await(ROUND_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
