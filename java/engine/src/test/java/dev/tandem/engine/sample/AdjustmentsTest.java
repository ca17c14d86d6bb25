package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.LogitRows;
import dev.tandem.engine.program.StepBlock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Penalties, biases and log-probabilities, down to the logits that come out. */
class AdjustmentsTest {
  private static final int VOCABULARY = 400;

  private static float[] logits(Random random, int count) {
    float[] logits = new float[count];
    for (int i = 0; i < count; i++) {
      logits[i] = (float) (4 * random.nextGaussian());
    }
    return logits;
  }

  /** The plain rule: biases first, then each token that is among the last ones loses. */
  private static double[] adjusted(float[] logits, SamplingOptions options, List<Integer> text) {
    double[] adjusted = IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).toArray();
    options.logitBias().forEach((id, bias) -> adjusted[id] += bias);
    Penalties penalties = options.penalties();
    Map<Integer, Integer> counts = new HashMap<>();
    text.subList(Math.max(0, text.size() - penalties.lastTokens()), text.size())
        .forEach(id -> counts.merge(id, 1, Integer::sum));
    counts.forEach((id, count) -> {
      double logit = adjusted[id];
      logit = logit > 0 ? logit / penalties.repeat() : logit * penalties.repeat();
      adjusted[id] = logit - penalties.presence() - count * penalties.frequency();
    });
    return adjusted;
  }

  @ParameterizedTest
  @CsvSource({
    "64, 1.1, 0, 0, 1",
    "64, 1, 0.5, 0, 2",
    "64, 1, 0, 0.3, 3",
    "64, 1.3, 0.4, 0.2, 4",
    "5, 1.3, 0.4, 0.2, 5",
    "1, 0.8, -0.4, -0.2, 6",
    "0, 1.3, 0.4, 0.2, 7",
    "64, 1, 0, 0, 8"
  })
  void changeTheLogitsOfTheirTokensAlone(
      int lastTokens, double repeat, double presence, double frequency, long seed) {
    Random random = new Random(seed);
    SamplingOptions options =
        SamplingOptions.greedy()
            .withPenalties(new Penalties(lastTokens, repeat, presence, frequency))
            .withLogitBias(Map.of(3, 2.5f, 17, -1.5f, 200, Float.NEGATIVE_INFINITY));
    Sampler sampler = new Sampler(options, VOCABULARY);
    int[] prompt = random.ints(100, 0, 40).toArray();
    sampler.accept(prompt);
    List<Integer> text = new ArrayList<>(IntStream.of(prompt).boxed().toList());
    try (LogitRows rows = new LogitRows(2, VOCABULARY)) {
      for (int token = 0; token < 30; token++) {
        float[] logits = logits(random, VOCABULARY);
        rows.set(0, logits);
        rows.set(1, logits);
        rows.begin();
        sampler.adjust(rows.step(), 1);
        rows.run();
        double[] expected = adjusted(logits, options, text);
        float[] actual = rows.row(1);
        int best = 0;
        for (int id = 0; id < VOCABULARY; id++) {
          double wanted = Math.max(expected[id], -Float.MAX_VALUE);
          String what = "seed %d, token %d, id %d".formatted(seed, token, id);
          assertEquals(wanted, actual[id], 1e-5 * (1 + Math.abs(wanted)), what);
          if (expected[id] == logits[id]) {
            assertEquals(logits[id], actual[id], what);
          }
          best = actual[id] > actual[best] ? id : best;
        }
        // Another output of the step is left alone.
        assertArrayEquals(logits, rows.row(0));
        int chosen = sampler.sample(rows.step(), 1);
        assertEquals(best, chosen);
        sampler.accept(chosen);
        text.add(chosen);
      }
    }
  }

  @Test
  void tokensOfTheTextAreDrawnLessOften() {
    SamplingOptions options =
        SamplingOptions.plain(9)
            .withPenalties(Penalties.NONE.withRepeat(1.5).withPresence(0.5).withFrequency(0.1))
            .withLogitBias(Map.of(7, 3f));
    float[] logits = logits(new Random(9), VOCABULARY);
    Sampler sampler = new Sampler(options, VOCABULARY);
    List<Integer> text = List.of(1, 2, 3, 3, 3, 7, 7, 60);
    text.forEach(sampler::accept);
    try (LogitRows rows = new LogitRows(1, VOCABULARY)) {
      rows.set(0, logits);
      sampler.adjust(rows.step(), 0);
      rows.run();
      double[] expected = adjusted(logits, options, text);
      float[] changed = new float[VOCABULARY];
      IntStream.range(0, VOCABULARY).forEach(i -> changed[i] = (float) expected[i]);
      int[] draws =
          IntStream.generate(
                  () -> {
                    assertEquals(Sampler.PENDING, sampler.sample(rows.step(), 0));
                    rows.pick();
                    return sampler.picked(rows.step());
                  })
              .limit(60_000)
              .toArray();
      SamplerTest.assertDistribution(PlainSampler.probabilities(changed, options), draws, 9);
    }
  }

  @Test
  void allBannedButOne() {
    int[] banned = IntStream.range(0, 90).filter(id -> id != 44).toArray();
    try (LogitRows rows = new LogitRows(1, 90)) {
      rows.set(0, logits(new Random(3), 90));
      for (SamplingOptions options :
          new SamplingOptions[] {
            SamplingOptions.greedy(),
            SamplingOptions.plain(1),
            SamplingOptions.plain(1).withTemperature(1e300),
            SamplingOptions.seeded(1).withTypical(0.9)
          }) {
        Sampler sampler = new Sampler(options.withBanned(banned), 90);
        rows.begin();
        sampler.adjust(rows.step(), 0);
        rows.run();
        for (int i = 0; i < 200; i++) {
          assertEquals(44, sampler.sample(rows.step(), 0));
        }
      }
    }
  }

  @Test
  void positiveInfinityForcesAToken() {
    SamplingOptions forced =
        SamplingOptions.plain(1).withLogitBias(Map.of(5, Float.POSITIVE_INFINITY));
    try (LogitRows rows = new LogitRows(1, 50)) {
      rows.set(0, logits(new Random(4), 50));
      Sampler sampler = new Sampler(forced, 50);
      sampler.adjust(rows.step(), 0);
      rows.run();
      for (int i = 0; i < 100; i++) {
        assertEquals(5, sampler.sample(rows.step(), 0));
      }
    }
  }

  @Test
  void moreThanAStepHolds() {
    try (LogitRows rows = new LogitRows(1, 500)) {
      StepBlock step = rows.step();
      int most = step.capacity().adjustments();
      for (int i = 0; i < most; i++) {
        step.adjust(0, i, 1, 1);
      }
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> step.adjust(0, 0, 1, 1));
      assertEquals(
          "the step is full: at most %d penalties and biases for an output".formatted(most),
          e.getMessage());
      rows.run();
    }
  }

  // ---- log-probabilities ----

  @Test
  void probabilitiesAreTheSoftmaxOfTheAdjustedLogits() {
    float[] logits = logits(new Random(8), VOCABULARY);
    try (LogitRows rows = new LogitRows(1, VOCABULARY)) {
      rows.set(0, logits);
      SamplingOptions options =
          SamplingOptions.plain(1).withTemperature(3).withLogitBias(Map.of(10, 9f, 11, -9f));
      Sampler sampler = new Sampler(options, VOCABULARY);
      sampler.adjust(rows.step(), 0);
      rows.run();
      float[] adjusted = rows.row(0);
      List<Integer> all = IntStream.range(0, VOCABULARY).boxed().toList();
      double[] expected = PlainSampler.softmax(adjusted, all, 1);
      for (int i = 0; i < 50; i++) {
        int token = sampler.sample(rows.step(), 0);
        if (token == Sampler.PENDING) {
          rows.pick();
          token = sampler.picked(rows.step());
        }
        TokenProbabilities probabilities = sampler.probabilities(rows.step(), 0, 20);
        assertEquals(token, probabilities.chosen().id());
        assertEquals(Math.log(expected[token]), probabilities.chosen().log(), 1e-5);
        assertEquals(expected[token], probabilities.chosen().value(), 1e-5);
        assertEquals(20, probabilities.top().size());
        for (int place = 0; place < 20; place++) {
          TokenProbabilities.TokenProbability top = probabilities.top().get(place);
          assertEquals(rows.step().candidateId(0, place), top.id());
          assertEquals(Math.log(expected[top.id()]), top.log(), 1e-5);
        }
      }
    }
  }

  @Test
  void probabilitiesOfFewTokens() {
    try (LogitRows rows = LogitRows.of(-3, 50)) {
      Sampler sampler = new Sampler(SamplingOptions.greedy(), 2);
      assertEquals(1, sampler.sample(rows.step(), 0));
      TokenProbabilities probabilities = sampler.probabilities(rows.step(), 0, 5);
      assertEquals(0, probabilities.chosen().log(), "a probability of 1, not more");
      assertEquals(List.of(1, 0), probabilities.top().stream().map(t -> t.id()).toList());
      assertEquals(-53, probabilities.top().get(1).log(), 1e-5);
      assertTrue(sampler.probabilities(rows.step(), 0, 0).top().isEmpty());
    }
  }
}
