package dev.tandem.engine.sample;

/**
 * What tokens lose that stand among the last ones, the prompt's included. Only logits are changed,
 * and of those tokens alone.
 *
 * @param lastTokens how many are looked at; 0 = none
 * @param repeat a positive logit is divided by this, any other multiplied; 1 = off (Keskar et al.,
 *     "CTRL", 2019)
 * @param presence taken off once from the logit of every token that is there; 0 = off
 * @param frequency taken off as often as the token is there; 0 = off
 */
public record Penalties(int lastTokens, double repeat, double presence, double frequency) {

  public static final int DEFAULT_LAST_TOKENS = 64;

  /** No penalties. */
  public static final Penalties NONE = new Penalties(DEFAULT_LAST_TOKENS, 1, 0, 0);

  // More than this has no meaning, and stays finite as a float whatever comes.
  static final double MOST = 1e6;

  public Penalties {
    if (lastTokens < 0 || lastTokens > SamplingOptions.MOST_ADJUSTMENTS) {
      throw new IllegalArgumentException(
          "last tokens to penalise: %d is not between 0 and %d"
              .formatted(lastTokens, SamplingOptions.MOST_ADJUSTMENTS));
    }
    if (!(repeat >= 1 / MOST && repeat <= MOST)) {
      throw new IllegalArgumentException(
          "repeat penalty: " + repeat + " is not between 0.000001 and 1000000; 1 = none");
    }
    requireSmall("presence penalty", presence);
    requireSmall("frequency penalty", frequency);
  }

  private static void requireSmall(String what, double penalty) {
    if (!(Math.abs(penalty) <= MOST)) {
      throw new IllegalArgumentException(
          what + ": " + penalty + " is not between -1000000 and 1000000; 0 = none");
    }
  }

  /** Whether any logit is changed. */
  public boolean areOn() {
    return lastTokens > 0 && (repeat != 1 || presence != 0 || frequency != 0);
  }

  public Penalties withLastTokens(int tokens) {
    return new Penalties(tokens, repeat, presence, frequency);
  }

  public Penalties withRepeat(double penalty) {
    return new Penalties(lastTokens, penalty, presence, frequency);
  }

  public Penalties withPresence(double penalty) {
    return new Penalties(lastTokens, repeat, penalty, frequency);
  }

  public Penalties withFrequency(double penalty) {
    return new Penalties(lastTokens, repeat, presence, penalty);
  }
}
