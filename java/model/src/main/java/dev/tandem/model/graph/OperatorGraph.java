package dev.tandem.model.graph;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a model computes: its operators in an order in which they can run.
 *
 * @param operators in execution order; each reads values that earlier ones wrote
 * @param values all values, by id
 * @param hyperparameters the sizes that engine and reports need
 */
public record OperatorGraph(
    Hyperparameters hyperparameters, List<Operator> operators, List<Value> values) {

  public OperatorGraph {
    operators = List.copyOf(operators);
    values = List.copyOf(values);
  }

  /** Every weight tensor once, in the order of first use. */
  public List<Weight> weights() {
    Map<String, Weight> weights = new LinkedHashMap<>();
    for (Operator operator : operators) {
      for (Weight weight : operator.weights()) {
        weights.put(weight.name(), weight);
      }
    }
    return List.copyOf(weights.values());
  }

  /** The attention operators, layer by layer. */
  public List<Operator.Attention> attentions() {
    return operators.stream()
        .filter(Operator.Attention.class::isInstance)
        .map(Operator.Attention.class::cast)
        .toList();
  }

  /** Bytes of KV cache that one position of one sequence takes in all layers. */
  public long kvBytesPerPosition() {
    return attentions().stream().mapToLong(Operator.Attention::kvBytesPerPosition).sum();
  }

  /** Elements of all weights. */
  public long parameters() {
    return weights().stream().mapToLong(Weight::elements).sum();
  }

  /** The cost of all operators. */
  public Cost cost(Workload workload) {
    return operators.stream().map(o -> o.cost(workload)).reduce(Cost.NONE, Cost::plus);
  }

  /** The value that the output head writes. */
  public Value logits() {
    return operators.getLast().output();
  }
}
