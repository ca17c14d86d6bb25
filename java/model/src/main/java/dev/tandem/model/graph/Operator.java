package dev.tandem.model.graph;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One operator of a model: what it computes, of which values and weights, and what that costs. The
 * costs are functions of the {@link Workload} alone; what they mean in time is a matter of the
 * machine.
 */
public sealed interface Operator {

  /** The layer of operators that belong to none. */
  int NO_LAYER = -1;

  /** Layer from 0, or {@link #NO_LAYER}. */
  int layer();

  /** A short name for reports, unique within its layer: {@code ffn_gate}. */
  String name();

  List<Value> inputs();

  Value output();

  List<Weight> weights();

  Cost cost(Workload workload);

  /** The lower-case kind for reports: {@code matmul}. */
  default String kind() {
    return switch (this) {
      case Embedding e -> "embedding";
      case Norm n -> "norm";
      case MatMul m -> "matmul";
      case Rope r -> "rope";
      case Attention a -> "attention";
      case GatedActivation g -> "gated activation";
      case ResidualAdd a -> "residual add";
      case OutputRows o -> "output rows";
      case OutputHead h -> "output head";
    };
  }

  /** Rows of a table, chosen by the token ids of the step. */
  record Embedding(String name, Weight table, Value output) implements Operator {
    @Override
    public int layer() {
      return NO_LAYER;
    }

    @Override
    public List<Value> inputs() {
      return List.of();
    }

    @Override
    public List<Weight> weights() {
      return List.of(table);
    }

    @Override
    public Cost cost(Workload w) {
      double row = (double) table.bytes() / table.rows();
      return new Cost(0, w.tokens() * row, output.bytes(w), 0);
    }
  }

  /** Root mean square normalisation (Zhang and Sennrich, 2019), times a weight. */
  record Norm(int layer, String name, Value input, Weight weight, double epsilon, Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(input);
    }

    @Override
    public List<Weight> weights() {
      return List.of(weight);
    }

    @Override
    public Cost cost(Workload w) {
      double elements = (double) input.rows().count(w) * input.width();
      return elements == 0
          ? Cost.NONE
          : new Cost(4 * elements, weight.bytes(), input.bytes(w) + output.bytes(w), 0);
    }
  }

  /** {@code output = weight . input (+ bias)}. */
  record MatMul(
      int layer, String name, Value input, Weight weight, Optional<Weight> bias, Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(input);
    }

    @Override
    public List<Weight> weights() {
      return Stream.concat(Stream.of(weight), bias.stream()).toList();
    }

    @Override
    public Cost cost(Workload w) {
      Cost product = matMulCost(w, input, weight, output);
      return bias.isEmpty() || product.equals(Cost.NONE)
          ? product
          : product.plus(new Cost(output.bytes(w) / 4, bias.get().bytes(), 0, 0));
    }
  }

  /** Rotates the heads of queries or keys by their positions. */
  record Rope(int layer, String name, Value input, int headSize, Rotation rotation, Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(input);
    }

    @Override
    public List<Weight> weights() {
      return rotation.divisors().stream().toList();
    }

    @Override
    public Cost cost(Workload w) {
      double rotated =
          (double) input.rows().count(w) * input.width() / headSize * rotation.dimensions();
      return new Cost(3 * rotated, 0, input.bytes(w) + output.bytes(w), 0);
    }
  }

  /**
   * Writes keys and values to the cache, then attends causally: query head {@code h} reads KV head
   * {@code h / (heads / kvHeads)} (grouped-query attention, Ainslie et al., 2023).
   */
  record Attention(
      int layer,
      String name,
      Value query,
      Value key,
      Value value,
      int heads,
      int kvHeads,
      int headSize,
      double scale,
      Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(query, key, value);
    }

    @Override
    public List<Weight> weights() {
      return List.of();
    }

    /** Bytes that one position of one sequence takes in the cache, as f16. */
    public long kvBytesPerPosition() {
      return 2L * 2 * kvHeads * headSize;
    }

    @Override
    public Cost cost(Workload w) {
      double flops = 4 * w.attended() * heads * headSize;
      double activations = query.bytes(w) + key.bytes(w) + value.bytes(w) + output.bytes(w);
      double kv = (double) kvBytesPerPosition() * (w.contexts() + w.tokens());
      return new Cost(flops, 0, activations, kv);
    }
  }

  /** {@code output = silu(gate) * up} (SwiGLU, Shazeer, 2020). */
  record GatedActivation(int layer, String name, Value gate, Value up, Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(gate, up);
    }

    @Override
    public List<Weight> weights() {
      return List.of();
    }

    @Override
    public Cost cost(Workload w) {
      double elements = (double) gate.rows().count(w) * gate.width();
      return new Cost(8 * elements, 0, gate.bytes(w) + up.bytes(w) + output.bytes(w), 0);
    }
  }

  /** {@code output = left + right}. */
  record ResidualAdd(int layer, String name, Value left, Value right, Value output)
      implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(left, right);
    }

    @Override
    public List<Weight> weights() {
      return List.of();
    }

    @Override
    public Cost cost(Workload w) {
      double elements = (double) left.rows().count(w) * left.width();
      return new Cost(elements, 0, 3 * left.bytes(w), 0);
    }
  }

  /** Keeps only the rows whose logits are wanted: nothing after it needs the others. */
  record OutputRows(int layer, String name, Value input, Value output) implements Operator {
    @Override
    public List<Value> inputs() {
      return List.of(input);
    }

    @Override
    public List<Weight> weights() {
      return List.of();
    }

    @Override
    public Cost cost(Workload w) {
      return new Cost(0, 0, 2 * output.bytes(w), 0);
    }
  }

  /** The matmul whose output are the logits. */
  record OutputHead(String name, Value input, Weight weight, Value output) implements Operator {
    @Override
    public int layer() {
      return NO_LAYER;
    }

    @Override
    public List<Value> inputs() {
      return List.of(input);
    }

    @Override
    public List<Weight> weights() {
      return List.of(weight);
    }

    @Override
    public Cost cost(Workload w) {
      return matMulCost(w, input, weight, output);
    }
  }

  /**
   * Without rows no weight is read: so it is behind the last attention of a step without outputs.
   */
  private static Cost matMulCost(Workload w, Value input, Weight weight, Value output) {
    double flops = 2.0 * input.rows().count(w) * weight.elements();
    return flops == 0
        ? Cost.NONE
        : new Cost(flops, weight.bytes(), input.bytes(w) + output.bytes(w), 0);
  }
}
