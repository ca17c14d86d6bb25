package dev.tandem.cli;

import dev.tandem.engine.score.Estimate;
import dev.tandem.engine.score.RunningMean;
import dev.tandem.engine.score.TokenDistribution;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The perplexity of one model. */
final class PerplexityMeasure implements Measure<Double> {

  private final RunningMean surprise = new RunningMean();

  /** The negative logarithm of the token's probability. */
  @Override
  public Double of(List<TokenDistribution> predictions, int token) {
    return -predictions.getFirst().logProbability(token);
  }

  @Override
  public void add(Double token) {
    surprise.add(token);
  }

  @Override
  public long tokens() {
    return surprise.count();
  }

  @Override
  public Estimate perplexity() {
    return surprise.estimate().exp();
  }

  @Override
  public String text() {
    return "perplexity " + text(perplexity()) + "\n";
  }

  /** {@code 89.2242 ± 6.5886}. */
  static String text(Estimate perplexity) {
    return String.format(Locale.ROOT, "%.4f ± %.4f", perplexity.value(), perplexity.error());
  }

  @Override
  public Map<String, Object> document() {
    return Map.of();
  }
}
