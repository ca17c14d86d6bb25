package dev.tandem.engine.calibrate;

import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The kernels of a step: what {@code ProgramCompiler} makes of a model's operators, with equal ones
 * counted. Values are encoded once, however many matmuls read them, and angles computed once per
 * kind of rotation.
 */
public final class StepKernels {

  /**
   * A kernel in a step.
   *
   * @param calls how often the step runs it
   * @param operators the short names of the operators that it computes, in the order of first use
   */
  public record Use(Kernel kernel, int calls, List<String> operators) {}

  private static final class Count {
    int calls;
    final Set<String> operators = new LinkedHashSet<>();
  }

  private final Device device;
  private final OperatorGraph graph;
  private final StepShape step;
  private final Map<Kernel, Count> counts = new LinkedHashMap<>();
  private final Set<Rotation> rotations = new HashSet<>();
  private final Set<Map.Entry<Integer, ElementType>> encoded = new HashSet<>();

  private StepKernels(Device device, OperatorGraph graph, StepShape step) {
    this.device = device;
    this.graph = graph;
    this.step = step;
  }

  /**
   * The distinct kernels of a step, in the order of first use.
   *
   * @throws IllegalArgumentException naming a weight whose type devices do not compute with
   */
  public static List<Use> of(Device device, OperatorGraph graph, StepShape step) {
    StepKernels kernels = new StepKernels(device, graph, step);
    graph.operators().forEach(kernels::add);
    return kernels.counts.entrySet().stream()
        .map(e -> new Use(e.getKey(), e.getValue().calls, List.copyOf(e.getValue().operators)))
        .toList();
  }

  private void add(Operator operator) {
    String name = operator.name();
    int rows = rows(operator.output());
    switch (operator) {
      case Operator.Embedding o ->
          count(
              name,
              new Kernel.Embedding(
                  type(o.table()),
                  isHead(o.table()) ? Layout.TILES : Layout.PLAIN,
                  o.table().rows(),
                  o.table().columns(),
                  rows));
      case Operator.Norm o -> count(name, new Kernel.Norm(o.output().width(), o.epsilon(), rows));
      case Operator.MatMul o -> matMul(name, o.input(), o.weight(), o.bias().isPresent(), rows);
      case Operator.OutputHead o -> {
        matMul(name, o.input(), o.weight(), false, rows);
        count("select", new Kernel.Select(o.weight().rows(), rows));
      }
      case Operator.Rope o -> {
        if (rotations.add(o.rotation())) {
          count("angles", new Kernel.RopeAngles(o.rotation(), step.tokens()));
        }
        count(name, new Kernel.Rope(o.rotation(), o.output().width(), o.headSize(), rows));
      }
      case Operator.Attention o -> {
        count("kv_store", new Kernel.StoreKv(o.kvHeads(), o.headSize(), step));
        count(name, new Kernel.Attention(o.heads(), o.kvHeads(), o.headSize(), o.scale(), step));
      }
      case Operator.GatedActivation o -> count(name, new Kernel.Gated(o.output().width(), rows));
      case Operator.ResidualAdd o -> count(name, new Kernel.Add(o.output().width(), rows));
      case Operator.OutputRows o ->
          count(name, new Kernel.Gather(o.output().width(), rows(o.input()), rows));
    }
  }

  private void matMul(String name, Value input, Weight weight, boolean bias, int rows) {
    ElementType type = type(weight);
    ElementType activations = device.activationType(type);
    if (activations != ElementType.F32 && encoded.add(Map.entry(input.id(), activations))) {
      count("for " + name, new Kernel.Encode(activations, weight.columns(), rows));
    }
    count(name, new Kernel.MatMul(type, weight.rows(), weight.columns(), bias, activations, rows));
  }

  private void count(String operator, Kernel kernel) {
    Count count = counts.computeIfAbsent(kernel, k -> new Count());
    count.calls++;
    count.operators.add(operator);
  }

  private int rows(Value value) {
    return value.rows().count(step.workload());
  }

  /** Whether the table of embeddings is the output head's as well. */
  private boolean isHead(Weight table) {
    return graph.operators().getLast() instanceof Operator.OutputHead head
        && head.weight().name().equals(table.name());
  }

  private static ElementType type(Weight weight) {
    return ElementType.ofWeight(weight.type().id())
        .orElseThrow(() ->
            new IllegalArgumentException(
                "tensor %s: type %s is not supported; supported: %s"
                    .formatted(weight.name(), weight.type(), ElementType.weightNames())));
  }
}
