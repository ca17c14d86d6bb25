package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.LogitRows;
import dev.tandem.engine.program.StepBlock;
import dev.tandem.runtime.PickSetting;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The same random number gives the same token, whether Java draws it from the candidates or a
 * device from the whole row.
 */
class EitherWayTest {

  private static final int DRAWS = 64; // of each case, made at once
  private static final boolean LONG = Boolean.getBoolean("tandem.long");

  @Test
  void javaAndDeviceDrawTheSame() {
    int cases = LONG ? 4000 : 250;
    int compared = 0;
    int tooShort = 0;
    for (int seed = 0; seed < cases; seed++) {
      Random random = new Random(seed);
      int vocabulary =
          random.nextInt(3) == 0 ? 1 + random.nextInt(300) : 1 + random.nextInt(20_000);
      SamplingOptions options = options(random);
      String what = "seed %d: %s, vocabulary %d".formatted(seed, options, vocabulary);
      try (LogitRows rows = new LogitRows(DRAWS, vocabulary)) {
        for (int row = 0; row < DRAWS; row++) {
          rows.set(row, logits(random, vocabulary));
        }
        rows.run();
        double inverse = 1 / options.temperature();
        Shortlist shortlist = new Shortlist(options, inverse, vocabulary);
        int[] places = new int[DRAWS];
        for (int row = 0; row < DRAWS; row++) {
          double uniform = uniform(random);
          places[row] = shortlist.draw(rows.step(), row, uniform);
          ask(rows.step(), row, options, inverse, uniform);
        }
        rows.pick();
        for (int row = 0; row < DRAWS; row++) {
          if (places[row] == Shortlist.TOO_SHORT) {
            assertTrue(vocabulary > StepBlock.CANDIDATES, what);
            tooShort++;
          } else {
            int id = rows.step().candidateId(row, places[row]);
            assertEquals(rows.step().pickedId(row), id, what + ", row " + row);
            compared++;
          }
        }
      }
    }
    System.out.println(compared + " draws made either way, " + tooShort + " of the whole row only");
    assertTrue(compared > 20 * cases, compared + " compared");
    assertTrue(tooShort > 5 * cases, tooShort + " too short");
  }

  private static void ask(
      StepBlock step, int row, SamplingOptions options, double inverse, double uniform) {
    int pick = step.addPick(row);
    assertEquals(row, pick);
    step.setPick(pick, PickSetting.TOP_K, options.topK());
    step.setPick(pick, PickSetting.TYPICAL, options.typical());
    step.setPick(pick, PickSetting.TOP_P, options.topP());
    step.setPick(pick, PickSetting.MIN_P, options.minP());
    step.setPick(pick, PickSetting.INVERSE_TEMPERATURE, inverse);
    step.setPick(pick, PickSetting.UNIFORM, uniform);
  }

  private static SamplingOptions options(Random random) {
    double[] temperatures = {1e-30, 0.05, 0.8, 1, 1.3, 10, 1e300};
    SamplingOptions options =
        SamplingOptions.plain(0).withTemperature(temperatures[random.nextInt(7)]);
    if (random.nextInt(2) == 0) {
      options = options.withTopK(1 + random.nextInt(random.nextBoolean() ? 256 : 20_000));
    }
    if (random.nextInt(3) == 0) {
      options = options.withTypical(probability(random));
    }
    if (random.nextInt(2) == 0) {
      options = options.withTopP(probability(random));
    }
    if (random.nextInt(2) == 0) {
      options =
          options.withMinP(random.nextInt(8) == 0 ? 1 : Math.pow(10, random.nextDouble(-6, 0)));
    }
    return options;
  }

  private static double probability(Random random) {
    return random.nextInt(8) == 0 ? 0 : random.nextDouble();
  }

  private static double uniform(Random random) {
    return switch (random.nextInt(20)) {
      case 0 -> 0;
      case 1 -> Math.nextDown(1.0);
      default -> random.nextDouble();
    };
  }

  private static float[] logits(Random random, int vocabulary) {
    double[] deviations = {0.001, 1, 3, 10, 1000};
    double deviation = deviations[random.nextInt(5)];
    boolean ties = random.nextInt(3) == 0;
    float[] logits = new float[vocabulary];
    for (int i = 0; i < vocabulary; i++) {
      double logit = deviation * random.nextGaussian();
      logits[i] = (float) (ties ? Math.rint(2 * logit) / 2 : logit);
    }
    if (random.nextInt(5) == 0) {
      logits[random.nextInt(vocabulary)] = -Float.MAX_VALUE;
    }
    if (random.nextInt(20) == 0) {
      logits[random.nextInt(vocabulary)] = Float.MAX_VALUE;
    }
    return logits;
  }
}
