package dev.tandem.cli.load;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/**
 * How a load went.
 *
 * @param seconds from the first request to the end of the last
 */
public record LoadResult(List<Sample> samples, double seconds) {

  /** Of a measure over all requests that succeeded: seconds at these percentiles, and the mean. */
  public record Distribution(double mean, double p50, double p90, double p99, double most) {
    static Distribution of(double[] values) {
      Arrays.sort(values);
      return new Distribution(
          Arrays.stream(values).average().orElse(Double.NaN),
          at(values, 0.5),
          at(values, 0.9),
          at(values, 0.99),
          at(values, 1));
    }

    /** The smallest value that at least this part of all does not exceed (nearest rank). */
    private static double at(double[] sorted, double part) {
      int rank = (int) Math.ceil(part * sorted.length);
      return sorted.length == 0 ? Double.NaN : sorted[Math.max(0, rank - 1)];
    }
  }

  private List<Sample> good() {
    return samples.stream().filter(sample -> sample.error().isEmpty()).toList();
  }

  /** Requests that succeeded. */
  public int succeeded() {
    return good().size();
  }

  /** Generated tokens, those of failed requests too. */
  public long tokens() {
    return samples.stream().mapToLong(Sample::tokens).sum();
  }

  /** How often each error came. */
  public Map<String, Integer> errors() {
    Map<String, Integer> counts = new TreeMap<>();
    samples.forEach(sample -> sample.error().ifPresent(e -> counts.merge(e, 1, Integer::sum)));
    return counts;
  }

  /** Time to the first token (TTFT). */
  public Distribution firstToken() {
    return of(Sample::firstSeconds, 1);
  }

  /** Time per output token after the first (TPOT), of requests that had more than one. */
  public Distribution perToken() {
    return of(Sample::perTokenSeconds, 2);
  }

  /** Time from the request to its end. */
  public Distribution total() {
    return of(Sample::totalSeconds, 0);
  }

  private Distribution of(ToDoubleFunction<Sample> measure, int leastTokens) {
    return Distribution.of(
        good().stream()
            .filter(sample -> sample.tokens() >= leastTokens)
            .mapToDouble(measure)
            .toArray());
  }

  /** For programs. Times in seconds; what nothing tells is left out. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("requests", samples.size());
    document.put("succeeded", succeeded());
    document.put("seconds", seconds);
    document.put("requests_per_second", succeeded() / seconds);
    document.put("tokens", tokens());
    document.put("tokens_per_second", tokens() / seconds);
    put(document, "time_to_first_token", firstToken());
    put(document, "time_per_output_token", perToken());
    put(document, "end_to_end", total());
    document.put("errors", errors());
    return document;
  }

  private static void put(Map<String, Object> document, String name, Distribution values) {
    if (!Double.isNaN(values.mean())) {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("mean", values.mean());
      map.put("p50", values.p50());
      map.put("p90", values.p90());
      map.put("p99", values.p99());
      map.put("max", values.most());
      document.put(name, map);
    }
  }
}
