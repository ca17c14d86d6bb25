package dev.tandem.engine.sample;

import java.util.HashMap;
import java.util.Map;

/**
 * How tokens are drawn. The parts are applied in the order of {@code docs/sampling.md}: bias,
 * penalties, top-k, typical, top-p, min-p, temperature.
 *
 * @param temperature 0 = always the best; 1 = as the model says; more = flatter
 * @param topK only so many best tokens can be drawn; 0 = all
 * @param typical only the most typical tokens, up to this probability, can be drawn; 1 = all
 * @param topP only the best tokens, up to this probability, can be drawn; 1 = all
 * @param minP only tokens with at least this part of the best one's probability can be drawn; 0 =
 *     all
 * @param penalties what tokens lose that were there already
 * @param logitBias what is added to the logits of these tokens; negative infinity bans one,
 *     positive infinity forces it
 * @param seed of the random numbers
 */
public record SamplingOptions(
    double temperature,
    int topK,
    double typical,
    double topP,
    double minP,
    Penalties penalties,
    Map<Integer, Float> logitBias,
    long seed) {

  public static final double DEFAULT_TEMPERATURE = 0.8;
  public static final int DEFAULT_TOP_K = 40;
  public static final double DEFAULT_TOP_P = 0.95;
  public static final double DEFAULT_MIN_P = 0.05;

  /** The most tokens that penalties and biases can change, together. */
  public static final int MOST_ADJUSTMENTS = 1024;

  public SamplingOptions {
    if (!(temperature >= 0) || Double.isInfinite(temperature)) {
      throw new IllegalArgumentException(
          "temperature: " + temperature + " is no number from 0 on; 0 = always the best token");
    }
    if (topK < 0) {
      throw new IllegalArgumentException("top-k: " + topK + " is negative; 0 = all tokens");
    }
    requireProbability("typical", typical, "1 = all tokens");
    requireProbability("top-p", topP, "1 = all tokens");
    requireProbability("min-p", minP, "0 = all tokens");
    logitBias = Map.copyOf(logitBias);
    logitBias.forEach(SamplingOptions::requireBias);
    int adjustments = logitBias.size() + (penalties.areOn() ? penalties.lastTokens() : 0);
    if (adjustments > MOST_ADJUSTMENTS) {
      throw new IllegalArgumentException(
          "%d biases and %d penalised tokens are more than %d; choose fewer"
              .formatted(logitBias.size(), adjustments - logitBias.size(), MOST_ADJUSTMENTS));
    }
  }

  /** Temperature and top-k alone. */
  public SamplingOptions(double temperature, int topK, long seed) {
    this(temperature, topK, 1, 1, 0, Penalties.NONE, Map.of(), seed);
  }

  /** Always the best token. */
  public static SamplingOptions greedy() {
    return new SamplingOptions(0, 0, 0);
  }

  /** As the model says: nothing is filtered. */
  public static SamplingOptions plain(long seed) {
    return new SamplingOptions(1, 0, seed);
  }

  /** What suits most models. */
  public static SamplingOptions seeded(long seed) {
    return new SamplingOptions(
        DEFAULT_TEMPERATURE,
        DEFAULT_TOP_K,
        1,
        DEFAULT_TOP_P,
        DEFAULT_MIN_P,
        Penalties.NONE,
        Map.of(),
        seed);
  }

  public SamplingOptions withTemperature(double value) {
    return new SamplingOptions(value, topK, typical, topP, minP, penalties, logitBias, seed);
  }

  public SamplingOptions withTopK(int value) {
    return new SamplingOptions(temperature, value, typical, topP, minP, penalties, logitBias, seed);
  }

  public SamplingOptions withTypical(double value) {
    return new SamplingOptions(temperature, topK, value, topP, minP, penalties, logitBias, seed);
  }

  public SamplingOptions withTopP(double value) {
    return new SamplingOptions(temperature, topK, typical, value, minP, penalties, logitBias, seed);
  }

  public SamplingOptions withMinP(double value) {
    return new SamplingOptions(temperature, topK, typical, topP, value, penalties, logitBias, seed);
  }

  public SamplingOptions withPenalties(Penalties value) {
    return new SamplingOptions(temperature, topK, typical, topP, minP, value, logitBias, seed);
  }

  public SamplingOptions withLogitBias(Map<Integer, Float> value) {
    return new SamplingOptions(temperature, topK, typical, topP, minP, penalties, value, seed);
  }

  public SamplingOptions withSeed(long value) {
    return new SamplingOptions(temperature, topK, typical, topP, minP, penalties, logitBias, value);
  }

  /** These tokens are never drawn, whatever their bias was. */
  public SamplingOptions withBanned(int... tokens) {
    Map<Integer, Float> bias = new HashMap<>(logitBias);
    for (int token : tokens) {
      bias.put(token, Float.NEGATIVE_INFINITY);
    }
    return withLogitBias(bias);
  }

  /**
   * Checks what depends on the model.
   *
   * @param vocabulary elements of a row of logits
   * @throws IllegalArgumentException if a bias names a token that there is not, or none is left
   */
  public void requireFitting(int vocabulary) {
    int banned = 0;
    for (Map.Entry<Integer, Float> bias : logitBias.entrySet()) {
      if (bias.getKey() >= vocabulary) {
        throw new IllegalArgumentException(
            "logit bias: token %d is not in the vocabulary; ids go from 0 to %d"
                .formatted(bias.getKey(), vocabulary - 1));
      }
      banned += bias.getValue() == Float.NEGATIVE_INFINITY ? 1 : 0;
    }
    if (banned == vocabulary) {
      throw new IllegalArgumentException(
          "logit bias: all %d tokens are banned; leave at least one".formatted(vocabulary));
    }
  }

  private static void requireProbability(String what, double value, String off) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(what + ": " + value + " is not between 0 and 1; " + off);
    }
  }

  private static void requireBias(int token, float bias) {
    if (token < 0) {
      throw new IllegalArgumentException("logit bias: token " + token + " is negative");
    }
    if (Float.isNaN(bias)) {
      throw new IllegalArgumentException("logit bias: that of token " + token + " is no number");
    }
  }
}
