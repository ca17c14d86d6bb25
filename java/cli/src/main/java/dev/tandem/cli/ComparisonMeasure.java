package dev.tandem.cli;

import dev.tandem.cli.Table.Align;
import dev.tandem.engine.score.Estimate;
import dev.tandem.engine.score.ModelComparison;
import dev.tandem.engine.score.TokenComparison;
import dev.tandem.engine.score.TokenDistribution;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** How far a model is from a reference, the second model. */
final class ComparisonMeasure implements Measure<TokenComparison> {

  private static final double[] FRACTIONS = {1, 0.999, 0.99, 0.95, 0.9, 0.5, 0.1, 0.05, 0.01, 0};
  private static final String[] NAMES = {
    "maximum", "99.9 %", "99 %", "95 %", "90 %", "median", "10 %", "5 %", "1 %", "minimum"
  };
  private static final String[] KEYS = {
    "maximum", "p99.9", "p99", "p95", "p90", "median", "p10", "p5", "p1", "minimum"
  };

  private final ModelComparison comparison = new ModelComparison();

  @Override
  public TokenComparison of(List<TokenDistribution> predictions, int token) {
    return TokenComparison.of(predictions.getFirst(), predictions.getLast(), token);
  }

  @Override
  public void add(TokenComparison token) {
    comparison.add(token);
  }

  @Override
  public long tokens() {
    return comparison.tokens();
  }

  @Override
  public Estimate perplexity() {
    return comparison.perplexity();
  }

  @Override
  public String text() {
    Estimate logRatio = comparison.logRatio();
    Table table = new Table(Align.LEFT, Align.RIGHT, Align.LEFT, Align.RIGHT, Align.LEFT);
    row(table, "perplexity", perplexity(), 4, "");
    row(table, "perplexity of the base", comparison.referencePerplexity(), 4, "");
    row(table, "ratio", logRatio.exp(), 6, "");
    row(table, "ln(ratio)", logRatio, 6, "");
    row(table, "KL divergence, mean", comparison.divergence(), 6, "");
    double[] percentiles = comparison.divergencePercentiles(FRACTIONS);
    for (int i = 0; i < percentiles.length; i++) {
      table.row("  " + NAMES[i], decimal(percentiles[i], 6), "", "", "");
    }
    row(table, "difference of p, mean", percent(comparison.probabilityDifference()), 3, "%");
    row(table, "  root mean square", percent(comparison.rootMeanSquareDifference()), 3, "%");
    row(table, "same likeliest token", percent(comparison.sameBest()), 3, "%");
    return table.toString();
  }

  private static void row(Table table, String name, Estimate estimate, int digits, String unit) {
    table.row(
        name, decimal(estimate.value(), digits), "±", decimal(estimate.error(), digits), unit);
  }

  private static String decimal(double number, int digits) {
    return String.format(Locale.ROOT, "%." + digits + "f", number);
  }

  private static Estimate percent(Estimate part) {
    return new Estimate(100 * part.value(), 100 * part.error());
  }

  @Override
  public Map<String, Object> document() {
    Map<String, Object> divergence = new LinkedHashMap<>();
    divergence.put("mean", comparison.divergence().value());
    divergence.put("error", comparison.divergence().error());
    double[] percentiles = comparison.divergencePercentiles(FRACTIONS);
    for (int i = 0; i < percentiles.length; i++) {
      divergence.put(KEYS[i], percentiles[i]);
    }
    Map<String, Object> document = new LinkedHashMap<>();
    put(document, "base_perplexity", "base_error", comparison.referencePerplexity());
    put(document, "ln_ratio", "ln_ratio_error", comparison.logRatio());
    document.put("kl_divergence", divergence);
    put(document, "mean_dp", "mean_dp_error", comparison.probabilityDifference());
    put(document, "rms_dp", "rms_dp_error", comparison.rootMeanSquareDifference());
    put(document, "same_top", "same_top_error", comparison.sameBest());
    return document;
  }

  private static void put(
      Map<String, Object> document, String value, String error, Estimate estimate) {
    document.put(value, estimate.value());
    document.put(error, estimate.error());
  }
}
