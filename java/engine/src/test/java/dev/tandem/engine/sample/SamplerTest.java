package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.LogitRows;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which tokens are drawn, and how often. */
class SamplerTest {
  private static final int DRAWS = 60_000;

  private static float[] logits(long seed, int vocabulary) {
    Random random = new Random(seed);
    float[] logits = new float[vocabulary];
    for (int i = 0; i < vocabulary; i++) {
      logits[i] = (float) (2.5 * random.nextGaussian());
    }
    return logits;
  }

  private static int sample(LogitRows rows, Sampler sampler) {
    int token = sampler.sample(rows.step(), 0);
    if (token != Sampler.PENDING) {
      return token;
    }
    rows.pick();
    return sampler.picked(rows.step());
  }

  private static int[] sample(LogitRows rows, SamplingOptions options, int count) {
    Sampler sampler = new Sampler(options, rows.vocabulary());
    return IntStream.generate(() -> sample(rows, sampler)).limit(count).toArray();
  }

  private static Set<Integer> distinct(LogitRows rows, SamplingOptions options, int count) {
    return Arrays.stream(sample(rows, options, count))
        .boxed()
        .collect(Collectors.toCollection(TreeSet::new));
  }

  // ---- statistics ----

  /**
   * Pearson's chi-square of the numbers of draws against the exact probabilities; tokens too rare
   * for it count together. Its mean is the number of classes less one, its variance twice that;
   * five deviations are a chance of about one in a million for each case, and the seeds are fixed.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      useHeadersInDisplayName = true,
      value = {
        "vocabulary | temperature | topK | typical | topP | minP | seed",
        "          5 | 1    | 0    | 1   | 1    | 0     | 1",
        "        256 | 1    | 0    | 1   | 1    | 0     | 2",
        "       1000 | 1    | 0    | 1   | 1    | 0     | 3",
        "      10000 | 1    | 0    | 1   | 1    | 0     | 4",
        "       1000 | 0.7  | 0    | 1   | 1    | 0     | 5",
        "       1000 | 2.5  | 0    | 1   | 1    | 0     | 6",
        "       1000 | 1    | 2    | 1   | 1    | 0     | 7",
        "       1000 | 0.8  | 40   | 1   | 1    | 0     | 8",
        "       1000 | 1    | 256  | 1   | 1    | 0     | 9",
        "       1000 | 1    | 500  | 1   | 1    | 0     | 10",
        "       1000 | 1    | 0    | 1   | 0.5  | 0     | 11",
        "       1000 | 1    | 0    | 1   | 0.95 | 0     | 12",
        "      10000 | 1.2  | 0    | 1   | 0.9  | 0     | 13",
        "       1000 | 1    | 0    | 1   | 1    | 0.05  | 14",
        "      10000 | 1    | 0    | 1   | 1    | 0.001 | 15",
        "       1000 | 1    | 0    | 0.5 | 1    | 0     | 16",
        "       1000 | 1    | 0    | 0.9 | 1    | 0     | 17",
        "        200 | 1    | 0    | 0.7 | 1    | 0     | 18",
        "       1000 | 1    | 100  | 0.7 | 1    | 0     | 19",
        "       1000 | 0.8  | 40   | 1   | 0.95 | 0.05  | 20",
        "       1000 | 1.5  | 200  | 0.9 | 0.9  | 0.1   | 21",
        "      10000 | 0.6  | 0    | 0.9 | 0.9  | 0.01  | 22",
        "      10000 | 3    | 900  | 0.9 | 0.9  | 0.01  | 23",
      })
  void drawsWithTheExactProbabilities(
      int vocabulary,
      double temperature,
      int topK,
      double typical,
      double topP,
      double minP,
      long seed) {
    SamplingOptions options =
        SamplingOptions.plain(seed)
            .withTemperature(temperature)
            .withTopK(topK)
            .withTypical(typical)
            .withTopP(topP)
            .withMinP(minP);
    float[] logits = logits(seed, vocabulary);
    try (LogitRows rows = LogitRows.of(logits)) {
      assertDistribution(
          PlainSampler.probabilities(logits, options), sample(rows, options, DRAWS), seed);
    }
  }

  static void assertDistribution(double[] probabilities, int[] draws, long seed) {
    int[] drawn = new int[probabilities.length];
    for (int id : draws) {
      assertTrue(probabilities[id] > 0, "seed " + seed + ": token " + id + " cannot be drawn");
      drawn[id]++;
    }
    double chiSquare = 0;
    int classes = 0;
    double rareExpected = 0;
    int rareDrawn = 0;
    for (int id = 0; id < drawn.length; id++) {
      double expected = draws.length * probabilities[id];
      if (expected < 8) {
        rareExpected += expected;
        rareDrawn += drawn[id];
      } else {
        chiSquare += (drawn[id] - expected) * (drawn[id] - expected) / expected;
        classes++;
      }
    }
    if (rareExpected >= 8) {
      chiSquare += (rareDrawn - rareExpected) * (rareDrawn - rareExpected) / rareExpected;
      classes++;
    }
    assertTrue(classes > 1, "nothing to test");
    double freedom = classes - 1;
    assertTrue(
        Math.abs(chiSquare - freedom) < 5 * Math.sqrt(2 * freedom),
        "chi-square " + chiSquare + " with " + freedom + " degrees of freedom, seed " + seed);
  }

  // ---- edges ----

  @Test
  void greedyTakesTheBestAndOfEqualOnesTheLowest() {
    try (LogitRows rows = LogitRows.of(1, 7, -3, 7, 7, 2)) {
      assertEquals(Set.of(1), distinct(rows, SamplingOptions.greedy(), 20));
      assertEquals(Set.of(1), distinct(rows, SamplingOptions.seeded(1).withTemperature(0), 20));
      assertEquals(Set.of(1), distinct(rows, SamplingOptions.plain(1).withTopK(1), 20));
    }
  }

  /** All but no temperature is greedy among what is not equal; nothing overflows on the way. */
  @ParameterizedTest
  @ValueSource(doubles = {1e-3, 1e-30, 1e-300, Double.MIN_VALUE})
  void coldIsGreedy(double temperature) {
    SamplingOptions options = SamplingOptions.plain(1).withTemperature(temperature);
    float[] logits = logits(1, 1000);
    int best = IntStream.range(0, 1000).reduce((a, b) -> logits[b] > logits[a] ? b : a).getAsInt();
    try (LogitRows rows = LogitRows.of(logits);
        LogitRows ties = LogitRows.of(3, 1, 3, 2)) {
      assertEquals(Set.of(best), distinct(rows, options, 100));
      assertEquals(Set.of(best), distinct(rows, options.withTopK(200), 100));
      assertEquals(Set.of(0, 2), distinct(ties, options, 100));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e9, 1e30, 1e300, Double.MAX_VALUE})
  void hotIsEven(double temperature) {
    SamplingOptions options = SamplingOptions.plain(5).withTemperature(temperature);
    double[] even = new double[300];
    Arrays.fill(even, 1 / 300.0);
    try (LogitRows rows = LogitRows.of(logits(2, 300))) {
      assertDistribution(even, sample(rows, options, DRAWS), 5);
    }
  }

  @Test
  void tiesAtTheBorderOfTopKGoToTheLowerIds() {
    SamplingOptions hot = SamplingOptions.plain(3).withTemperature(1e9);
    float[] ties = new float[1000];
    Arrays.fill(ties, 4);
    ties[900] = 5;
    try (LogitRows rows = LogitRows.of(ties)) {
      assertEquals(Set.of(0, 1, 900), distinct(rows, hot.withTopK(3), 200));
      Set<Integer> expected = new TreeSet<>(Set.of(900));
      IntStream.range(0, 299).forEach(expected::add);
      assertEquals(expected, distinct(rows, hot.withTopK(300), 6000));
    }
  }

  @Test
  void filtersThatKeepAllOrOne() {
    SamplingOptions hot = SamplingOptions.plain(4).withTemperature(1e9);
    for (int vocabulary : new int[] {20, 300}) {
      float[] logits = logits(9, vocabulary);
      int best =
          IntStream.range(0, vocabulary).reduce((a, b) -> logits[b] > logits[a] ? b : a).getAsInt();
      try (LogitRows rows = LogitRows.of(logits)) {
        int draws = 20 * vocabulary;
        assertEquals(Set.of(best), distinct(rows, hot.withTopP(0), 50));
        assertEquals(Set.of(best), distinct(rows, hot.withMinP(1), 50));
        assertEquals(vocabulary, distinct(rows, hot.withTopP(1), draws).size());
        assertEquals(vocabulary, distinct(rows, hot.withMinP(0), draws).size());
        assertEquals(vocabulary, distinct(rows, hot.withMinP(1e-300), draws).size());
        assertEquals(vocabulary, distinct(rows, hot.withTypical(1), draws).size());
        assertEquals(1, distinct(rows, hot.withTypical(0), 50).size());
        assertEquals(vocabulary, distinct(rows, hot.withTopK(vocabulary), draws).size());
        assertEquals(vocabulary, distinct(rows, hot.withTopK(Integer.MAX_VALUE), draws).size());
      }
    }
  }

  @Test
  void oneToken() {
    try (LogitRows rows = LogitRows.of(-5)) {
      for (SamplingOptions options :
          new SamplingOptions[] {
            SamplingOptions.greedy(),
            SamplingOptions.plain(1),
            SamplingOptions.seeded(1).withTypical(0.5)
          }) {
        assertEquals(Set.of(0), distinct(rows, options, 10));
      }
    }
  }

  // ---- random numbers ----

  @Test
  void sameSeedSameTokens() {
    try (LogitRows rows = LogitRows.of(logits(5, 1000))) {
      for (SamplingOptions options :
          new SamplingOptions[] {SamplingOptions.seeded(5), SamplingOptions.plain(5)}) {
        int[] first = sample(rows, options, 50);
        assertArrayEquals(first, sample(rows, options, 50));
        assertFalse(Arrays.equals(first, sample(rows, options.withSeed(6), 50)));
      }
    }
  }

  /** What a device takes with it is drawn again, and what follows is as it would have been. */
  @Test
  void aDrawThatIsLostIsMadeAgain() {
    SamplingOptions options = SamplingOptions.plain(5).withTemperature(3);
    int vocabulary = 4000;
    int lost = 0;
    try (LogitRows rows = new LogitRows(2, vocabulary)) {
      rows.set(0, logits(1, vocabulary));
      rows.run();
      Sampler undisturbed = new Sampler(options, vocabulary);
      Sampler disturbed = new Sampler(options, vocabulary);
      for (int draw = 0; draw < 100; draw++) {
        int expected = sample(rows, undisturbed);
        if (draw % 3 != 0) {
          if (disturbed.sample(rows.step(), 0) == Sampler.PENDING) {
            lost++;
          }
          disturbed.drawAgain();
          rows.pick(); // of what nobody takes
        }
        assertEquals(expected, sample(rows, disturbed), "draw " + draw);
      }
    }
    assertTrue(lost > 20, lost + " draws were pending");
  }
}
