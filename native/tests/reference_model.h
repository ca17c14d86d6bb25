// The forward pass of TinyModel in double precision, one token after another, written to be read. Activations and cache
// entries are rounded where the device rounds them, and nowhere else.
#pragma once

#include "tiny_model.h"

namespace td::testing {

class ReferenceModel {
 public:
  // activationType: what the device's matmul wants for the model's weights.
  ReferenceModel(const TinyModel& model, int32_t activationType)
      : model_(model), activationType_(activationType), keys_(model.layers.size()), values_(model.layers.size()) {}

  // The next token of the one sequence that this object computes.
  std::vector<double> next(int32_t id) {
    const Shape& s = model_.shape;
    const size_t position = keys_[0].size();
    std::vector<double> x;
    for (int i = 0; i < s.hidden; ++i) x.push_back(model_.embedding.element(id, i).value());
    for (size_t l = 0; l < model_.layers.size(); ++l) {
      const Layer& layer = model_.layers[l];
      const auto input = encoded(norm(x, layer.attentionNorm));
      auto q = linear(layer.q, input), k = linear(layer.k, input);
      rotate(q, s.heads, position);
      rotate(k, s.kvHeads, position);
      keys_[l].push_back(halves(k));
      values_[l].push_back(halves(linear(layer.v, input)));
      add(x, linear(layer.o, encoded(attention(q, l))));
      const auto inner = encoded(norm(x, layer.innerNorm));
      auto gate = linear(layer.gate, inner);
      const auto up = linear(layer.up, inner);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      add(x, linear(layer.down, encoded(gate)));
    }
    return linear({model_.head, {}}, encoded(norm(x, model_.outputNorm)));
  }

 private:
  using Row = std::vector<double>;

  static void add(Row& x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  static Row halves(Row row) {
    for (double& value : row) value = halfToFloat(floatToHalf(static_cast<float>(value)));
    return row;
  }

  static Row norm(const Row& x, const std::vector<float>& weight) {
    double squares = 0;
    for (const double value : x) squares += value * value;
    Row out;
    for (size_t i = 0; i < x.size(); ++i)
      out.push_back(x[i] / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5) * weight[i]);
    return out;
  }

  // What is left of the values after encoding.
  Row encoded(Row x) const {
    if (activationType_ == TD_ACTBF16) {
      for (double& value : x) value = bf16ToFloat(floatToBf16(static_cast<float>(value)));
    } else if (activationType_ == TD_ACT8) {
      for (size_t first = 0; first < x.size(); first += kActBlock) {
        double largest = 0;
        for (size_t i = first; i < first + kActBlock; ++i) largest = std::max(largest, std::abs(x[i]));
        const double scale = largest / 127;
        for (size_t i = first; i < first + kActBlock; ++i) x[i] = scale == 0 ? 0 : scale * std::nearbyint(x[i] / scale);
      }
    }
    return x;
  }

  Row linear(const Linear& linear, const Row& x) {
    std::vector<double>& decoded = decoded_[linear.weight.plain.data()];
    if (decoded.empty()) {
      for (int64_t row = 0; row < linear.weight.rows; ++row) {
        for (int64_t column = 0; column < linear.weight.columns; ++column)
          decoded.push_back(linear.weight.element(row, column).value());
      }
    }
    Row out;
    for (int64_t row = 0; row < linear.weight.rows; ++row) {
      double sum = linear.bias.empty() ? 0 : linear.bias[static_cast<size_t>(row)];
      for (size_t i = 0; i < x.size(); ++i) sum += decoded[static_cast<size_t>(row) * x.size() + i] * x[i];
      out.push_back(sum);
    }
    return out;
  }

  void rotate(Row& x, int heads, size_t position) const {
    const Shape& s = model_.shape;
    const int pairs = s.rotated / 2;
    for (int head = 0; head < heads; ++head) {
      for (int i = 0; i < pairs; ++i) {
        const int first = head * s.headSize + (s.rope == TD_ROPE_NORM ? 2 * i : i);
        double& a = x[static_cast<size_t>(first)];
        double& b = x[static_cast<size_t>(first + (s.rope == TD_ROPE_NORM ? 1 : pairs))];
        const double angle = static_cast<double>(position) * model_.frequencies[static_cast<size_t>(i)], old = a;
        a = old * std::cos(angle) - b * std::sin(angle);
        b = old * std::sin(angle) + b * std::cos(angle);
      }
    }
  }

  Row attention(const Row& q, size_t layer) const {
    const Shape& s = model_.shape;
    Row out(q.size());
    for (int head = 0; head < s.heads; ++head) {
      const size_t from = static_cast<size_t>(head * s.headSize),
                   kv = static_cast<size_t>(head / (s.heads / s.kvHeads) * s.headSize);
      const size_t size = static_cast<size_t>(s.headSize);
      Row weights;
      double sum = 0;
      for (const Row& key : keys_[layer]) {
        double score = 0;
        for (size_t d = 0; d < size; ++d) score += q[from + d] * key[kv + d];
        weights.push_back(std::exp(score * s.scale()));
        sum += weights.back();
      }
      for (size_t j = 0; j < weights.size(); ++j) {
        for (size_t d = 0; d < size; ++d) out[from + d] += weights[j] / sum * values_[layer][j][kv + d];
      }
    }
    return out;
  }

  const TinyModel& model_;
  int32_t activationType_;
  std::vector<std::vector<Row>> keys_, values_;  // [layer][position][KV head * head size]
  std::map<const uint8_t*, std::vector<double>> decoded_;
};

}  // namespace td::testing
