package dev.tandem.cli;

import static dev.tandem.cli.Table.Column.left;
import static dev.tandem.cli.Table.Column.right;
import static dev.tandem.cli.Table.NOTHING;

import dev.tandem.engine.calibrate.Kernel;
import dev.tandem.engine.calibrate.MachineLimits;
import dev.tandem.engine.calibrate.Samples;
import dev.tandem.engine.calibrate.StepKernels;
import dev.tandem.engine.calibrate.StepShape;
import dev.tandem.runtime.Limit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The kernels of a step with their times.
 *
 * @param uses the kernels
 * @param times seconds per call of each
 */
record KernelsReport(
    StepShape step, List<StepKernels.Use> uses, List<Samples> times, MachineLimits limits) {

  /**
   * What bounds a kernel.
   *
   * @param seconds that it would take at the limit
   */
  private record Bound(String name, double seconds) {}

  /** {@code decode, 1 token at depth 0}. */
  private String title() {
    String what =
        step.tokensEach() > 1
            ? "prefill, " + Quantities.plural(step.tokens(), "token")
            : "decode, " + Quantities.plural(step.tokens(), "token");
    return what + " at depth " + step.depth();
  }

  /** The limit that decides, of those that are known. */
  private Optional<Bound> bound(Kernel kernel) {
    OptionalDouble memory = limits.memory();
    OptionalDouble arithmetic = limits.arithmetic(kernel.arithmetic());
    double toRead = memory.isPresent() ? kernel.bytes() / memory.getAsDouble() : 0;
    double toCompute = arithmetic.isPresent() ? kernel.operations() / arithmetic.getAsDouble() : 0;
    if (memory.isEmpty() && arithmetic.isEmpty()) {
      return Optional.empty();
    }
    boolean reads = memory.isPresent() && toRead >= toCompute;
    return Optional.of(
        new Bound(
            reads ? "memory" : arithmeticName(kernel.arithmetic()), Math.max(toRead, toCompute)));
  }

  private String arithmeticName(Limit limit) {
    return LimitsText.name(limits.of(limit).isPresent() ? limit : Limit.F32);
  }

  private double stepSeconds() {
    double sum = 0;
    for (int i = 0; i < uses.size(); i++) {
      sum += seconds(i);
    }
    return sum;
  }

  /** Of all calls of a kernel in a step. */
  private double seconds(int kernel) {
    return uses.get(kernel).calls() * times.get(kernel).median();
  }

  /** A table, its last row the sum and the speed that it predicts. */
  String text() {
    Table table =
        new Table(
            List.of(
                left("kernel"),
                left("shape"),
                left("format"),
                right("rows"),
                right("calls"),
                right("us each"),
                right("GB/s"),
                right("Gop/s"),
                left("bound by"),
                right("of limit"),
                right("share"),
                left("operators")));
    double total = stepSeconds();
    double bytes = 0;
    double operations = 0;
    Optional<Double> least = Optional.of(0.0);
    for (int i = 0; i < uses.size(); i++) {
      StepKernels.Use use = uses.get(i);
      Kernel kernel = use.kernel();
      double each = times.get(i).median();
      bytes += use.calls() * kernel.bytes();
      operations += use.calls() * kernel.operations();
      Optional<Bound> bound = bound(kernel);
      least = least.flatMap(sum -> bound.map(b -> sum + use.calls() * b.seconds()));
      table.row(
          kernel.name(),
          kernel.shape(),
          kernel.format(),
          Integer.toString(kernel.rows()),
          Integer.toString(use.calls()),
          Quantities.fixed(each * 1e6, 1),
          Quantities.fixed(kernel.bytes() / each * 1e-9, 1),
          Quantities.fixed(kernel.operations() / each * 1e-9, 1),
          bound.map(Bound::name).orElse(NOTHING),
          bound.map(b -> percent(b.seconds() / each, 0)).orElse(NOTHING),
          percent(seconds(i) / total, 1),
          String.join(" ", use.operators()));
    }
    table.row(
        "total",
        "",
        "",
        "",
        Integer.toString(uses.stream().mapToInt(StepKernels.Use::calls).sum()),
        Quantities.fixed(total * 1e6, 1),
        Quantities.fixed(bytes / total * 1e-9, 1),
        Quantities.fixed(operations / total * 1e-9, 1),
        "",
        least.map(seconds -> percent(seconds / total, 0)).orElse(NOTHING),
        percent(1, 1),
        Quantities.fixed(step.tokens() / total, 2) + " tokens/s");
    return title() + "\n" + table;
  }

  private static String percent(double fraction, int digits) {
    return Quantities.fixed(100 * fraction, digits) + " %";
  }

  /** The same, with every sample. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("sequences", step.sequences());
    document.put("tokens", step.tokens());
    document.put("depth", step.depth());
    double total = stepSeconds();
    List<Object> kernels = new ArrayList<>();
    for (int i = 0; i < uses.size(); i++) {
      StepKernels.Use use = uses.get(i);
      Kernel kernel = use.kernel();
      double each = times.get(i).median();
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("kernel", kernel.name());
      row.put("shape", kernel.shape());
      row.put("format", kernel.format());
      row.put("operators", use.operators());
      row.put("rows", kernel.rows());
      row.put("calls", use.calls());
      row.put("seconds", each);
      row.put("bytes", kernel.bytes());
      row.put("operations", kernel.operations());
      row.put("bytes_per_second", kernel.bytes() / each);
      row.put("operations_per_second", kernel.operations() / each);
      bound(kernel)
          .ifPresent(bound -> {
            row.put("bound_by", bound.name());
            row.put("fraction_of_limit", bound.seconds() / each);
          });
      row.put("share_of_step", seconds(i) / total);
      row.put("samples", times.get(i).values());
      kernels.add(row);
    }
    document.put("kernels", kernels);
    document.put("seconds", total);
    document.put("tokens_per_second", step.tokens() / total);
    return document;
  }
}
