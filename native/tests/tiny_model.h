// A small decoder of the Llama shape with random weights: as a program for a device, and in double precision.
#pragma once

#include <cmath>
#include <map>

#include "c_interface.h"
#include "core/kv_layout.h"
#include "weights.h"

namespace td::testing {

struct Shape {
  td_type type = TD_F32;
  int layers = 2, hidden = 256, heads = 4, kvHeads = 2, headSize = 64, rotated = 64, inner = 256, vocabulary = 90;
  td_rope_layout rope = TD_ROPE_NORM;
  bool biases = true;

  double scale() const { return 1 / std::sqrt(headSize); }
  int queryWidth() const { return heads * headSize; }
  int kvWidth() const { return kvHeads * headSize; }
};

struct Linear {
  WeightMatrix weight;
  std::vector<float> bias;  // may be empty
};

struct Layer {
  std::vector<float> attentionNorm, innerNorm;
  Linear q, k, v, o, gate, up, down;
};

// Weights of ordinary size: a model with extreme ones would drown every difference.
inline WeightMatrix ordinaryWeights(Random& random, td_type type, int64_t rows, int64_t columns) {
  const double size = 0.8 / std::sqrt(static_cast<double>(columns));
  return {random, type, rows, columns, [size](Random& r, td_type t, uint8_t* block) {
            const double scale = r.chance(0.5) ? size : -size;
            for (int i = 0; i < formatOf(t).blockBytes; i += 8) {
              const uint64_t quants = r.bits();
              memcpy(block + i, &quants, sizeof quants);
            }
            const float value = static_cast<float>(size * r.normal());
            switch (t) {
              case TD_F32:
                memcpy(block, &value, sizeof value);
                break;
              case TD_F16:
                putHalf(block, value);
                break;
              case TD_BF16: {
                const uint16_t pair[] = {floatToBf16(value), floatToBf16(static_cast<float>(size * r.normal()))};
                memcpy(block, pair, sizeof pair);
                break;
              }
              case TD_Q8_0:
                putHalf(block, scale / 80);
                break;
              case TD_Q4_0:
                putHalf(block, scale / 4);
                break;
              case TD_Q4_1:
                putHalf(block, scale / 4);
                putHalf(block + 2, -scale * 2);
                break;
              case TD_Q4_K:
                putHalf(block, scale / 128);
                putHalf(block + 2, scale / 16);
                break;
              default:
                putHalf(block + 208, scale / 1000);
                break;
            }
          }};
}

struct TinyModel {
  Shape shape;
  WeightMatrix embedding, head;
  std::vector<Layer> layers;
  std::vector<float> outputNorm;
  std::vector<double> frequencies;

  TinyModel(Random& random, const Shape& s)
      : shape(s),
        embedding(ordinaryWeights(random, s.type, s.vocabulary, s.hidden)),
        head(ordinaryWeights(random, s.type, s.vocabulary, s.hidden)),
        outputNorm(norm(random)) {
    const auto linear = [&](int64_t rows, int64_t columns) {
      return Linear{ordinaryWeights(random, s.type, rows, columns),
                    s.biases ? random.normals(rows, 0.1) : std::vector<float>()};
    };
    for (int i = 0; i < s.layers; ++i) {
      layers.push_back({norm(random), norm(random), linear(s.queryWidth(), s.hidden), linear(s.kvWidth(), s.hidden),
                        linear(s.kvWidth(), s.hidden), linear(s.hidden, s.queryWidth()), linear(s.inner, s.hidden),
                        linear(s.inner, s.hidden), linear(s.hidden, s.inner)});
    }
    for (int i = 0; i < s.rotated / 2; ++i) frequencies.push_back(std::pow(10000.0, -2.0 * i / s.rotated));
  }

 private:
  std::vector<float> norm(Random& random) const {
    std::vector<float> weight;
    for (int i = 0; i < shape.hidden; ++i) weight.push_back(static_cast<float>(random.uniform(0.5, 1.5)));
    return weight;
  }
};

// What one step of a session computes: a token of a sequence at a position, and whether its logits are wanted.
struct StepToken {
  int32_t id, position;
  int sequence;
};

// The model on a device, with a paged cache, compiled for steps of up to `capacity` tokens.
class Session {
 public:
  static constexpr int kBlocks = 64, kTableLength = 16;  // blocks in the pool; entries of a sequence's block table
  static constexpr int kSequences = 4, kCandidates = 5;

  Session(const TinyModel& model, td_isa isa, int threads, td_layout layout, int capacity)
      : model_(model),
        device_(openDevice(isa, threads)),
        layout_(layout),
        capacity_(capacity),
        counts_(device_, 2),
        ids_(device_, capacity),
        positions_(device_, capacity),
        tables_(device_, capacity),
        rows_(device_, capacity),
        blocks_(device_, kSequences * kTableLength),
        pool_(device_, kBlocks * poolColumns()),
        logits_(device_, capacity * model.shape.vocabulary),
        candidates_(device_, capacity * kCandidates),
        candidateLogits_(device_, capacity * kCandidates),
        logSums_(device_, capacity),
        program_(td_program_create(device_)) {
    pool_.fill(0xffff);  // NaN: nobody may read what was not stored
    blocks_.fill(-1);
    write();
  }

  // Gives a sequence physical blocks for its positions.
  void assign(int sequence, const std::vector<int32_t>& blocks) {
    std::copy(blocks.begin(), blocks.end(), &blocks_[sequence * kTableLength]);
  }

  // Returns the logits of every token. All outputs beyond them are poisoned before.
  std::vector<std::vector<float>> step(const std::vector<StepToken>& tokens) {
    const int32_t count = static_cast<int32_t>(tokens.size());
    counts_.set({count, count});
    for (int32_t i = 0; i < count; ++i) {
      ids_[i] = tokens[static_cast<size_t>(i)].id;
      positions_[i] = tokens[static_cast<size_t>(i)].position;
      tables_[i] = tokens[static_cast<size_t>(i)].sequence * kTableLength;
      rows_[i] = i;
    }
    logits_.fill(notANumber());
    EXPECT_EQ(0, td_program_run(program_, 0)) << errorMessage();
    std::vector<std::vector<float>> results;
    const int64_t vocabulary = model_.shape.vocabulary;
    for (int64_t i = 0; i < count; ++i)
      results.emplace_back(&logits_[i * vocabulary], &logits_[i * vocabulary] + vocabulary);
    return results;
  }

  int32_t activationType() const { return ok(td_activation_type(device_, model_.shape.type)); }
  const Buffer<int32_t>& candidates() const { return candidates_; }
  const Buffer<float>& candidateLogits() const { return candidateLogits_; }
  const Buffer<float>& logSums() const { return logSums_; }
  int64_t program() const { return program_; }
  const Buffer<int32_t>& counts() const { return counts_; }

 private:
  int64_t poolColumns() const {
    return model_.shape.layers * kvLayerBytes(model_.shape.kvHeads, model_.shape.headSize) / 2;
  }

  int32_t vector(const std::vector<float>& values) {
    floats_.emplace_back(device_, values);
    return tensorOf(program_, floats_.back(), static_cast<int64_t>(values.size()));
  }

  int32_t matrix(const WeightMatrix& weight, td_layout layout) {
    weights_.emplace_back(device_, layout == TD_TILES ? weight.tiles() : weight.plain);
    return ok(
        td_program_tensor(program_, weights_.back().handle(), 0, weight.type, layout, weight.rows, weight.columns));
  }

  int32_t activation(int64_t columns) {
    floats_.emplace_back(device_, capacity_ * columns);
    floats_.back().fill(notANumber());
    return tensorOf(program_, floats_.back(), columns);
  }

  // x in the type that matmul wants, encoded if it must be.
  int32_t encoded(int32_t x, int64_t columns) {
    const int32_t type = activationType();
    if (type == TD_F32) return x;
    weights_.emplace_back(device_, td_tensor_bytes(type, TD_PLAIN, capacity_, columns));
    const int32_t out =
        ok(td_program_tensor(program_, weights_.back().handle(), 0, type, TD_PLAIN, capacity_, columns));
    ok(td_op_encode(program_, x, out));
    return out;
  }

  int32_t linear(const Linear& linear, int32_t x) {
    const int32_t out = activation(linear.weight.rows);
    ok(td_op_matmul(program_, matrix(linear.weight, layout_), x, linear.bias.empty() ? -1 : vector(linear.bias), out));
    return out;
  }

  int32_t norm(int32_t x, const std::vector<float>& weight) {
    const int32_t out = activation(model_.shape.hidden);
    ok(td_op_rms_norm(program_, x, vector(weight), out, 1e-5));
    return out;
  }

  void write() {
    const Shape& s = model_.shape;
    const int32_t tokens = ok(td_program_tensor(program_, counts_.handle(), 0, TD_I32, TD_PLAIN, 1, 1));
    const int32_t outputs = ok(td_program_tensor(program_, counts_.handle(), 4, TD_I32, TD_PLAIN, 1, 1));
    const int32_t ids = tensorOf(program_, ids_, 1), positions = tensorOf(program_, positions_, 1),
                  tables = tensorOf(program_, tables_, 1);
    const int32_t blocks = tensorOf(program_, blocks_, kTableLength), pool = tensorOf(program_, pool_, poolColumns());
    const Buffer<double> frequencies(device_, model_.frequencies);
    ok(td_program_extent(program_, tokens));
    const int32_t x = activation(s.hidden), angles = activation(s.rotated);
    ok(td_op_embedding(program_, matrix(model_.embedding, layout_), ids, x));
    ok(td_op_rope_angles(program_, positions, tensorOf(program_, frequencies, s.rotated / 2), angles));
    for (int i = 0; i < s.layers; ++i) {
      const Layer& layer = model_.layers[static_cast<size_t>(i)];
      const int64_t offset = i * kvLayerBytes(s.kvHeads, s.headSize);
      const int32_t attentionInput = encoded(norm(x, layer.attentionNorm), s.hidden);
      const int32_t q = linear(layer.q, attentionInput), k = linear(layer.k, attentionInput),
                    v = linear(layer.v, attentionInput);
      ok(td_op_rope(program_, q, angles, s.headSize, s.rope));
      ok(td_op_rope(program_, k, angles, s.headSize, s.rope));
      ok(td_op_store_kv(program_, k, v, positions, tables, blocks, pool, offset, s.headSize));
      const int32_t attended = activation(s.queryWidth());
      ok(td_op_attention(program_, q, positions, tables, blocks, pool, attended, offset, s.headSize, s.kvHeads,
                         s.scale()));
      ok(td_op_add(program_, x, linear(layer.o, encoded(attended, s.queryWidth())), x));
      const int32_t innerInput = encoded(norm(x, layer.innerNorm), s.hidden);
      const int32_t gate = linear(layer.gate, innerInput), up = linear(layer.up, innerInput),
                    gated = activation(s.inner);
      ok(td_op_gated(program_, gate, up, gated, TD_GATE_SILU));
      ok(td_op_add(program_, x, linear(layer.down, encoded(gated, s.inner)), x));
    }
    const int32_t chosen = activation(s.hidden);
    ok(td_op_gather(program_, x, tensorOf(program_, rows_, 1), chosen));
    ok(td_program_extent(program_, outputs));
    const int32_t logits = tensorOf(program_, logits_, s.vocabulary);
    ok(td_op_matmul(program_, matrix(model_.head, layout_), encoded(norm(chosen, model_.outputNorm), s.hidden), -1,
                    logits));
    ok(td_op_select(program_, logits, tensorOf(program_, candidates_, kCandidates),
                    tensorOf(program_, candidateLogits_, kCandidates), tensorOf(program_, logSums_, 1)));
    ok(td_program_finish(program_));
  }

  const TinyModel& model_;
  Device device_;
  td_layout layout_;
  int capacity_;
  Buffer<int32_t> counts_, ids_, positions_, tables_, rows_, blocks_;
  Buffer<uint16_t> pool_;
  Buffer<float> logits_;
  Buffer<int32_t> candidates_;
  Buffer<float> candidateLogits_, logSums_;
  std::vector<Buffer<float>> floats_;
  std::vector<Buffer<uint8_t>> weights_;
  Program program_;
};

}  // namespace td::testing
