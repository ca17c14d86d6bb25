package dev.tandem.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class BackoffTest {

  private static final Backoff BACKOFF = new Backoff(Duration.ofNanos(100), Duration.ofNanos(1500));

  @Test
  void pausesDoubleUpToTheLongest() {
    long[] most = {100, 200, 400, 800, 1500, 1500};
    for (int failures = 1; failures <= most.length; failures++) {
      long longest = longest(failures);
      assertTrue(longest <= most[failures - 1], longest + " after " + failures);
      assertTrue(longest > 0.9 * most[failures - 1], longest + " after " + failures);
    }
    assertTrue(longest(1_000_000) <= 1500);
    assertTrue(longest(Integer.MAX_VALUE) > 0.9 * 1500);
  }

  @Test
  void pausesAreSpreadOverTheUpperHalf() {
    LongStream drawn = pauses(3);
    var all = drawn.summaryStatistics();
    assertTrue(all.getMin() >= 200 && all.getMin() < 220, all.toString());
    assertEquals(300, all.getAverage(), 10);
  }

  @Test
  void pausesThatMakeNoSenseAreRefused() {
    Duration second = Duration.ofSeconds(1);
    assertThrows(IllegalArgumentException.class, () -> new Backoff(Duration.ZERO, second));
    assertThrows(IllegalArgumentException.class, () -> new Backoff(second, Duration.ofMillis(1)));
  }

  private static long longest(int failures) {
    return pauses(failures).max().orElseThrow();
  }

  private static LongStream pauses(int failures) {
    SplittableRandom random = new SplittableRandom(7);
    return LongStream.range(0, 1000).map(i -> BACKOFF.nanos(failures, random));
  }
}
