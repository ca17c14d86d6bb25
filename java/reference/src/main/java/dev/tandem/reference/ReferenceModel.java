package dev.tandem.reference;

import dev.tandem.model.Model;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import java.util.function.IntFunction;

/**
 * The forward pass of a model in double precision: what the engine's logits are measured against.
 *
 * <p>It walks the operators of the graph in their order, with {@link Formulas} for each. Weights
 * are decoded exactly as their format says; activations, keys and values are never rounded. It is
 * written to be read, and is as slow as that: a tensor is read whole and decoded row by row each
 * time it is needed.
 */
public final class ReferenceModel {

  private final GgufFile file;
  private final OperatorGraph graph;

  public ReferenceModel(Model model) {
    file = model.file();
    graph = model.graph();
  }

  /**
   * The logits after every token of one sequence that begins at position 0.
   *
   * @return {@code [tokens][vocabulary]}
   * @throws IllegalArgumentException if the vocabulary does not have a token
   */
  public double[][] logits(int[] tokens) {
    double[][][] values = new double[graph.values().size()][][]; // value, token, element
    for (Operator operator : graph.operators()) {
      values[operator.output().id()] = run(operator, tokens, values);
    }
    return values[graph.logits().id()];
  }

  /** The rows of the operator's output, one per token. */
  private double[][] run(Operator operator, int[] tokens, double[][][] values) {
    return switch (operator) {
      case Operator.Embedding o -> rows(tokens, t -> embedding(o.table(), tokens[t]));
      case Operator.Norm o -> {
        double[][] x = rowsOf(o.input(), values);
        double[] weight = vector(o.weight());
        yield rows(tokens, t -> Formulas.norm(x[t], weight, o.epsilon()));
      }
      case Operator.MatMul o -> {
        double[][] y = matMul(o.weight(), rowsOf(o.input(), values));
        if (o.bias().isEmpty()) {
          yield y;
        }
        double[] bias = vector(o.bias().get());
        yield rows(tokens, t -> Formulas.sum(y[t], bias));
      }
      case Operator.Rope o -> {
        double[][] x = rowsOf(o.input(), values);
        Rotation rotation = o.rotation();
        double[] frequencies = rotation.frequencies(divisors(rotation));
        yield rows(
            tokens, t -> Formulas.rotate(x[t], o.headSize(), rotation.layout(), frequencies, t));
      }
      case Operator.Attention o -> {
        double[][] query = rowsOf(o.query(), values);
        double[][] keys = rowsOf(o.key(), values);
        double[][] value = rowsOf(o.value(), values);
        yield rows(tokens, t -> Formulas.attend(query[t], keys, value, t, o.headSize(), o.scale()));
      }
      case Operator.GatedActivation o -> {
        double[][] gate = rowsOf(o.gate(), values);
        double[][] up = rowsOf(o.up(), values);
        yield rows(tokens, t -> Formulas.gated(gate[t], up[t]));
      }
      case Operator.ResidualAdd o -> {
        double[][] left = rowsOf(o.left(), values);
        double[][] right = rowsOf(o.right(), values);
        yield rows(tokens, t -> Formulas.sum(left[t], right[t]));
      }
      case Operator.OutputRows o -> rowsOf(o.input(), values); // every token is an output here
      case Operator.OutputHead o -> matMul(o.weight(), rowsOf(o.input(), values));
    };
  }

  /** {@code y[t][r] = weight[r] . x[t]}. A row of weights is decoded once, for all tokens. */
  private double[][] matMul(Weight weight, double[][] x) {
    byte[] blocks = file.read(file.tensor(weight.name()));
    int rowBytes = Math.toIntExact(weight.type().rowBytes(weight.columns()));
    BlockCodec codec = BlockCodec.of(weight.type());
    double[] row = new double[weight.columns()];
    double[][] y = new double[x.length][weight.rows()];
    for (int r = 0; r < weight.rows(); r++) {
      codec.decode(blocks, r * rowBytes, row, 0, row.length);
      for (int t = 0; t < x.length; t++) {
        y[t][r] = Formulas.dot(row, 0, x[t], 0, row.length);
      }
    }
    return y;
  }

  /** The row of a token in the embedding table. */
  private double[] embedding(Weight table, int token) {
    if (token < 0 || token >= table.rows()) {
      throw new IllegalArgumentException(
          "token %d is not between 0 and %d".formatted(token, table.rows() - 1));
    }
    double[] row = new double[table.columns()];
    byte[] blocks = file.readRows(file.tensor(table.name()), token, 1);
    BlockCodec.of(table.type()).decode(blocks, 0, row, 0, row.length);
    return row;
  }

  private double[] vector(Weight weight) {
    double[] values = new double[weight.columns()];
    byte[] blocks = file.read(file.tensor(weight.name()));
    BlockCodec.of(weight.type()).decode(blocks, 0, values, 0, values.length);
    return values;
  }

  private float[] divisors(Rotation rotation) {
    if (rotation.divisors().isEmpty()) {
      return new float[0];
    }
    TensorInfo tensor = file.tensor(rotation.divisors().get().name());
    return BlockCodec.of(tensor.type()).decode(file.read(tensor));
  }

  private static double[][] rowsOf(Value value, double[][][] values) {
    return values[value.id()];
  }

  private static double[][] rows(int[] tokens, IntFunction<double[]> rowOfToken) {
    double[][] rows = new double[tokens.length][];
    for (int t = 0; t < tokens.length; t++) {
      rows[t] = rowOfToken.apply(t);
    }
    return rows;
  }
}
