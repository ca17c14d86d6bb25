package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.calibrate.MachineLimits;
import dev.tandem.engine.calibrate.Samples;
import dev.tandem.engine.calibrate.StepKernels;
import dev.tandem.engine.calibrate.StepShape;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.runtime.Limit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * How fast a model did one thing.
 *
 * @param samples tokens per second, of all sequences together
 */
record BenchModelResult(Test test, Samples samples) {

  /**
   * What is measured: {@code pp512}, {@code tg64 x8 @ d2048}.
   *
   * @param prompt whether tokens are read, else generated
   * @param tokens of each sequence
   * @param sequences that generate together
   * @param depth tokens in the context of each before
   */
  record Test(boolean prompt, int tokens, int sequences, int depth) {
    String name() {
      return (prompt ? "pp" : "tg")
          + tokens
          + (sequences > 1 ? " x" + sequences : "")
          + (depth > 0 ? " @ d" + depth : "");
    }

    /** Positions of a sequence at the end. */
    int context() {
      return depth + tokens;
    }
  }

  /**
   * What was reached of which limit.
   *
   * @param perSecond bytes, or operations
   * @param fraction of the limit, if that is known
   */
  record Reached(double perSecond, String unit, OptionalDouble fraction) {
    String text() {
      return Quantities.fixed(perSecond * 1e-9, 1) + " " + unit;
    }

    String fractionText() {
      return fraction.isPresent()
          ? Quantities.fixed(100 * fraction.getAsDouble(), 0) + " %"
          : Table.NOTHING;
    }
  }

  /** Reading is bound by arithmetic, generating by reading memory. */
  Reached reached(Engine engine, MachineLimits limits) {
    return test.prompt() ? arithmetic(engine, limits) : bandwidth(engine, limits);
  }

  /** The kinds of arithmetic that the matrices of a model are computed by. */
  static List<Limit> arithmetics(Engine engine) {
    return StepKernels.of(engine.device(), engine.model().graph(), StepShape.decode(1, 0)).stream()
        .map(use -> use.kernel().arithmetic())
        .distinct()
        .toList();
  }

  private Reached arithmetic(Engine engine, MachineLimits limits) {
    StepShape step = StepShape.prefill(test.tokens(), test.depth());
    double operations = 0;
    OptionalDouble least = OptionalDouble.of(0);
    Map<Limit, Double> byKind = new LinkedHashMap<>();
    for (StepKernels.Use use : StepKernels.of(engine.device(), engine.model().graph(), step)) {
      double of = use.calls() * use.kernel().operations();
      Limit kind = use.kernel().arithmetic();
      operations += of;
      OptionalDouble limit = limits.arithmetic(kind);
      least =
          least.isPresent() && limit.isPresent()
              ? OptionalDouble.of(least.getAsDouble() + of / limit.getAsDouble())
              : OptionalDouble.empty();
      byKind.merge(kind, of, Double::sum);
    }
    double seconds = test.tokens() / samples.median();
    boolean integers = byKind.getOrDefault(Limit.INT8, 0.0) > operations / 2;
    return new Reached(
        operations / seconds,
        integers ? "GOP/s" : "GFLOP/s",
        least.isPresent()
            ? OptionalDouble.of(least.getAsDouble() / seconds)
            : OptionalDouble.empty());
  }

  /** Weights and keys and values that a step reads, of a context of middle length. */
  private Reached bandwidth(Engine engine, MachineLimits limits) {
    OperatorGraph graph = engine.model().graph();
    double context = test.depth() + (test.tokens() + 1) / 2.0;
    double weights =
        graph.cost(StepShape.decode(test.sequences(), test.depth()).workload()).weightBytes();
    double bytes = weights + graph.kvBytesPerPosition() * context * test.sequences();
    double perSecond = bytes * samples.median() / test.sequences();
    OptionalDouble limit = limits.memory();
    return new Reached(
        perSecond,
        "GB/s",
        limit.isPresent()
            ? OptionalDouble.of(perSecond / limit.getAsDouble())
            : OptionalDouble.empty());
  }

  /** For programs. */
  Map<String, Object> document() {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("test", test.name());
    row.put("prompt", test.prompt());
    row.put("tokens", test.tokens());
    row.put("sequences", test.sequences());
    row.put("depth", test.depth());
    row.put("mean", samples.mean());
    row.put("median", samples.median());
    row.put("deviation", samples.deviation());
    row.put("samples", samples.values());
    return row;
  }
}
