package dev.tandem.engine.sample;

import java.util.List;

/**
 * How likely a generated token was, and which ones were the likeliest in its place: of the softmax
 * over the whole vocabulary of the logits as penalties and biases left them, before temperature and
 * filters. Without penalties and biases that is what the model says.
 *
 * @param chosen the token that was drawn
 * @param top the likeliest ones, the best first; the chosen one need not be among them
 */
public record TokenProbabilities(TokenProbability chosen, List<TokenProbability> top) {

  public TokenProbabilities {
    top = List.copyOf(top);
  }

  /**
   * A token and the natural logarithm of its probability: 0 at most; -1e30 and below for one that
   * is banned.
   */
  public record TokenProbability(int id, double log) {

    /** From 0 to 1. */
    public double value() {
      return Math.exp(log);
    }
  }
}
