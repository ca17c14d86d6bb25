package dev.tandem.client;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * Pauses between attempts to connect: each up to twice as long as the one before it. What is waited
 * is drawn from the upper half of that, so that many clients of a server that comes back do not
 * come all at once.
 *
 * @param first the longest pause after the first failure
 * @param most the longest pause of all
 */
public record Backoff(Duration first, Duration most) {

  private static final int MOST_DOUBLINGS = 20;

  /** Checks the pauses. */
  public Backoff {
    if (first.isNegative() || first.isZero() || most.compareTo(first) < 0) {
      throw new IllegalArgumentException(
          "pauses from %s to %s: the first is above 0, the longest not below it"
              .formatted(first, most));
    }
    first = ClientOptions.limited(first);
    most = ClientOptions.limited(most);
  }

  /** From 50 ms to 5 s. */
  public static Backoff defaults() {
    return new Backoff(Duration.ofMillis(50), Duration.ofSeconds(5));
  }

  /**
   * What to wait before the next attempt.
   *
   * @param failures attempts that failed, one after the other; at least 1
   */
  long nanos(int failures, RandomGenerator random) {
    long doublings = 1L << Math.min(failures - 1, MOST_DOUBLINGS);
    // Compared as a quotient: the product could overflow.
    long longest =
        first.toNanos() > most.toNanos() / doublings ? most.toNanos() : first.toNanos() * doublings;
    return longest - (long) (random.nextDouble() * (longest / 2.0));
  }
}
