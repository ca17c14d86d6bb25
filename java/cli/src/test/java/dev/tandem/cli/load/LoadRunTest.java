package dev.tandem.cli.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class LoadRunTest {

  /** Answers when as many requests are there as may be at the same time. */
  private static class Together implements LoadTarget {
    private final AtomicInteger now = new AtomicInteger();
    private final AtomicInteger most = new AtomicInteger();
    private final CountDownLatch met;
    private final Set<List<Integer>> prompts = ConcurrentHashMap.newKeySet();

    Together(int expected) {
      met = new CountDownLatch(expected);
    }

    @Override
    public int vocabulary() {
      return 50;
    }

    @Override
    public int contextTokens() {
      return 100;
    }

    @Override
    public Sample run(int[] prompt, int outputTokens) {
      most.accumulateAndGet(now.incrementAndGet(), Math::max);
      prompts.add(Arrays.stream(prompt).boxed().toList());
      met.countDown();
      try {
        met.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      now.decrementAndGet();
      return new Sample(0, 1_000_000, 3_000_000, outputTokens, Optional.empty());
    }

    @Override
    public void close() {}
  }

  @Test
  void asManyRunAtTheSameTimeAsAskedFor() throws InterruptedException {
    Together target = new Together(4);
    AtomicInteger heard = new AtomicInteger();
    LoadResult result =
        new LoadRun(target, 4, 1)
            .run(
                Workload.closed(20, new Lengths(9, 9), new Lengths(3, 3), 1),
                n -> heard.incrementAndGet());
    assertEquals(4, target.most.get());
    assertEquals(20, heard.get());
    assertEquals(20, result.succeeded());
    assertEquals(60, result.tokens());
    assertEquals(20, target.prompts.size(), "no two prompts are alike");
    assertTrue(
        target.prompts.stream().allMatch(p -> p.stream().allMatch(id -> id >= 0 && id < 50)));
  }

  @Test
  void anOpenLoadCountsTheTimeThatARequestWaitsForItsTurn() throws InterruptedException {
    Together target = new Together(1);
    LoadResult result =
        new LoadRun(target, 1, 1)
            .run(Workload.poisson(3, 1000, new Lengths(1, 1), new Lengths(3, 3), 1), n -> {});
    // The target's samples begin at 0; what counts is when they were due, which is later.
    assertTrue(result.samples().stream().allMatch(sample -> sample.sent() != 0));
  }

  /** A defect is shown as it is, not as the wrapper of its wrapper. */
  @Test
  void whatATargetThrowsIsThrown() {
    LoadTarget broken =
        new Together(1) {
          @Override
          public Sample run(int[] prompt, int outputTokens) {
            throw new IllegalStateException("a defect");
          }
        };
    Workload load = Workload.closed(3, new Lengths(1, 1), new Lengths(1, 1), 1);
    IllegalStateException thrown =
        assertThrows(
            IllegalStateException.class, () -> new LoadRun(broken, 1, 1).run(load, n -> {}));
    assertEquals("a defect", thrown.getMessage());
  }

  @Test
  void percentilesAreNearestRanks() {
    List<Sample> samples =
        IntStream.rangeClosed(1, 100)
            .mapToObj(i -> new Sample(0, i * 1_000_000L, i * 3_000_000L, 3, Optional.empty()))
            .toList();
    LoadResult result = new LoadResult(samples, 2);
    assertEquals(0.050, result.firstToken().p50(), 1e-9);
    assertEquals(0.090, result.firstToken().p90(), 1e-9);
    assertEquals(0.099, result.firstToken().p99(), 1e-9);
    assertEquals(0.100, result.firstToken().most(), 1e-9);
    assertEquals(0.0505, result.firstToken().mean(), 1e-9);
    assertEquals(0.050, result.perToken().p50(), 1e-9, "two tokens after the first");
    assertEquals(50.0, (double) result.document().get("requests_per_second"), 1e-9);
    assertEquals(150.0, (double) result.document().get("tokens_per_second"), 1e-9);
  }

  @Test
  void failuresAreCountedByTheirReasonAndDoNotCountAsFast() {
    Sample bad = new Sample(0, 1, 1, 0, Optional.of("HTTP 429: full"));
    LoadResult result = new LoadResult(List.of(bad, bad), 1);
    assertEquals(Map.of("HTTP 429: full", 2), result.errors());
    assertEquals(0, result.succeeded());
    assertTrue(Double.isNaN(result.total().p50()));
    assertFalse(result.document().containsKey("end_to_end"));
  }
}
