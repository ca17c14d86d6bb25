package dev.tandem.model.graph;

import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.model.graph.Value.Rows;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * With what a model family writes its graph, operator by operator, in execution order. Weights are
 * named as in the file; a shape that does not fit is an error that names the tensor.
 */
public final class GraphBuilder {

  private final GgufFile file;
  private final List<Operator> operators = new ArrayList<>();
  private final List<Value> values = new ArrayList<>();
  private int layer = Operator.NO_LAYER;

  public GraphBuilder(GgufFile file) {
    this.file = file;
  }

  /** The following operators belong to this layer. */
  public void layer(int index) {
    layer = index;
  }

  /** The following operators belong to no layer. */
  public void noLayer() {
    layer = Operator.NO_LAYER;
  }

  public Value embedding(String table, Hyperparameters sizes) {
    Weight weight = matrix(table, sizes.vocabulary(), sizes.width());
    Value out = value(Rows.TOKENS, weight.columns());
    operators.add(new Operator.Embedding(shortName(table), weight, out));
    return out;
  }

  public Value norm(Value x, String weightName, double epsilon) {
    Value out = value(x.rows(), x.width());
    Weight weight = vector(weightName, x.width());
    operators.add(new Operator.Norm(layer, shortName(weightName), x, weight, epsilon, out));
    return out;
  }

  /** {@code name.weight} times x, plus {@code name.bias} where the file has one. */
  public Value matMul(Value x, String name, int rows) {
    Weight weight = matrix(name + ".weight", rows, x.width());
    Optional<Weight> bias = file.find(name + ".bias").map(t -> vector(t.name(), rows));
    Value out = value(x.rows(), rows);
    operators.add(new Operator.MatMul(layer, shortName(name), x, weight, bias, out));
    return out;
  }

  public Value rope(String name, Value x, int headSize, Rotation rotation) {
    Value out = value(x.rows(), x.width());
    operators.add(new Operator.Rope(layer, name, x, headSize, rotation, out));
    return out;
  }

  public Value attention(Value query, Value key, Value value, Hyperparameters sizes, double scale) {
    Value out = value(query.rows(), query.width());
    operators.add(
        new Operator.Attention(
            layer,
            "attention",
            query,
            key,
            value,
            sizes.heads(),
            sizes.kvHeads(),
            sizes.headSize(),
            scale,
            out));
    return out;
  }

  public Value gated(String name, Value gate, Value up) {
    Value out = value(gate.rows(), gate.width());
    operators.add(new Operator.GatedActivation(layer, name, gate, up, out));
    return out;
  }

  public Value add(String name, Value left, Value right) {
    Value out = value(left.rows(), left.width());
    operators.add(new Operator.ResidualAdd(layer, name, left, right, out));
    return out;
  }

  public Value outputRows(String name, Value x) {
    Value out = value(Rows.OUTPUTS, x.width());
    operators.add(new Operator.OutputRows(layer, name, x, out));
    return out;
  }

  public Value outputHead(Value x, String weightName, Hyperparameters sizes) {
    Weight weight = matrix(weightName, sizes.vocabulary(), x.width());
    Value out = value(x.rows(), weight.rows());
    operators.add(new Operator.OutputHead("output", x, weight, out));
    return out;
  }

  /** Rows of a matrix of the file, where nothing else tells them. */
  public int rowsOf(String name) {
    return weight(name).rows();
  }

  /** A vector of so many elements, as a weight. */
  public Weight vector(String name, int elements) {
    return shaped(name, 1, elements);
  }

  /** A vector that must be float32, since Java reads it. */
  public Weight floats(String name, int elements) {
    Weight weight = vector(name, elements);
    if (weight.type() != TensorType.F32) {
      throw new ModelFormatException(
          file.parts().getFirst(), -1, "tensor " + name, "is " + weight.type() + ", must be F32");
    }
    return weight;
  }

  private Weight matrix(String name, int rows, int columns) {
    return shaped(name, rows, columns);
  }

  public OperatorGraph build(Hyperparameters hyperparameters) {
    return new OperatorGraph(hyperparameters, operators, values);
  }

  private Weight shaped(String name, int rows, int columns) {
    Weight weight = weight(name);
    if (weight.rows() != rows || weight.columns() != columns) {
      throw new ModelFormatException(
          file.parts().getFirst(),
          -1,
          "tensor " + name,
          "has shape [%d, %d], the metadata ask for [%d, %d] (columns, rows)"
              .formatted(weight.columns(), weight.rows(), columns, rows));
    }
    return weight;
  }

  private Weight weight(String name) {
    TensorInfo tensor = file.tensor(name);
    if (tensor.matrices() != 1
        || tensor.rows() > Integer.MAX_VALUE
        || tensor.columns() > Integer.MAX_VALUE) {
      throw new ModelFormatException(
          file.parts().getFirst(), -1, "tensor " + name, "is no matrix: shape " + tensor.shape());
    }
    return new Weight(name, tensor.type(), (int) tensor.rows(), (int) tensor.columns());
  }

  private Value value(Rows rows, int width) {
    Value value = new Value(values.size(), rows, width);
    values.add(value);
    return value;
  }

  private static String shortName(String tensor) {
    String name = tensor.replaceFirst("^blk\\.\\d+\\.", "");
    return name.endsWith(".weight") ? name.substring(0, name.length() - ".weight".length()) : name;
  }
}
