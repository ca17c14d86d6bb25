package dev.tandem.engine.sample;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** The samplers in the most obvious way: what each token's probability has to be. */
final class PlainSampler {

  private PlainSampler() {}

  /** The probabilities with which tokens are drawn, by id. */
  static double[] probabilities(float[] logits, SamplingOptions options) {
    List<Integer> kept =
        new ArrayList<>(
            IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparing(id -> -(double) logits[id])) // stable
                .toList());
    if (options.temperature() == 0) {
      kept = kept.subList(0, 1);
    }
    if (options.topK() > 0) {
      kept = kept.subList(0, Math.min(options.topK(), kept.size()));
    }
    if (options.typical() < 1) {
      kept = typical(kept, softmax(logits, kept, 1), options.typical());
    }
    if (options.topP() < 1) {
      double[] p = softmax(logits, kept, 1);
      double sum = 0;
      int count = 0;
      do {
        sum += p[kept.get(count++)];
      } while (sum < options.topP() && count < kept.size());
      kept = kept.subList(0, count);
    }
    if (options.minP() > 0) {
      double[] p = softmax(logits, kept, 1);
      double least = options.minP() * p[kept.getFirst()];
      kept = kept.stream().filter(id -> p[id] >= least).toList();
    }
    return softmax(logits, kept, Math.max(options.temperature(), 1e-30));
  }

  private static List<Integer> typical(List<Integer> from, double[] p, double most) {
    double entropy =
        from.stream().mapToDouble(id -> p[id] > 0 ? -p[id] * Math.log(p[id]) : 0).sum();
    List<Integer> nearest =
        from.stream()
            .sorted(Comparator.comparing(id -> Math.abs(-Math.log(p[id]) - entropy)))
            .toList();
    double sum = 0;
    int count = 0;
    while (count < nearest.size() && sum <= most) {
      sum += p[nearest.get(count++)];
    }
    List<Integer> kept = nearest.subList(0, count);
    return from.stream().filter(kept::contains).toList();
  }

  /** Of the kept ones; 0 for the others. */
  static double[] softmax(float[] logits, List<Integer> kept, double temperature) {
    double best = kept.stream().mapToDouble(id -> logits[id]).max().orElseThrow();
    double[] p = new double[logits.length];
    for (int id : kept) {
      p[id] = Math.exp((logits[id] - best) / temperature);
    }
    double sum = IntStream.range(0, p.length).mapToDouble(id -> p[id]).sum();
    for (int id : kept) {
      p[id] /= sum;
    }
    return p;
  }
}
