package dev.tandem.engine.sample;

import dev.tandem.engine.program.StepBlock;

/**
 * How tokens are drawn.
 *
 * @param temperature 0 = always the best; 1 = as the model says; more = flatter
 * @param topK only so many best tokens can be drawn, 1 to {@link StepBlock#CANDIDATES}
 * @param seed of the random generator
 */
public record SamplingOptions(double temperature, int topK, long seed) {

  public static final double DEFAULT_TEMPERATURE = 0.8;
  public static final int DEFAULT_TOP_K = 40;

  public SamplingOptions {
    if (!(temperature >= 0) || Double.isInfinite(temperature)) {
      throw new IllegalArgumentException(
          "temperature: " + temperature + " is no number from 0 on; 0 = always the best token");
    }
    if (topK < 1 || topK > StepBlock.CANDIDATES) {
      throw new IllegalArgumentException(
          "top-k: " + topK + " is not between 1 and " + StepBlock.CANDIDATES);
    }
  }

  /** Always the best token. */
  public static SamplingOptions greedy() {
    return new SamplingOptions(0, 1, 0);
  }

  public static SamplingOptions seeded(long seed) {
    return new SamplingOptions(DEFAULT_TEMPERATURE, DEFAULT_TOP_K, seed);
  }
}
