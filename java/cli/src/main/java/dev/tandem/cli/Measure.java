package dev.tandem.cli;

import dev.tandem.engine.score.Estimate;
import dev.tandem.engine.score.TokenDistribution;
import java.util.List;
import java.util.Map;

/**
 * What is measured of models by a text, token by token.
 *
 * @param <T> what is measured of one token
 */
interface Measure<T> {

  /**
   * Measures a token. Called from several threads at once.
   *
   * @param predictions what each model expects in its place
   */
  T of(List<TokenDistribution> predictions, int token);

  /** Counts the next token of the text. */
  void add(T token);

  /** Tokens that were counted. */
  long tokens();

  /** The perplexity of the first model so far. */
  Estimate perplexity();

  /** All of it for people: lines, each ended by a line feed. */
  String text();

  /** What there is beside the perplexity, for programs. */
  Map<String, Object> document();
}
