// The operations of a program, as data: what a device compiles. Shapes have been checked by Program.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "core/kv_layout.h"
#include "core/tiles.h"

namespace td {

// A tensor in a buffer. Activations have as many rows as a step can have; an operation's extent says how many count.
struct Tensor {
  uint8_t* data = nullptr;
  int32_t type = TD_F32;
  td_layout layout = TD_PLAIN;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t rowBytes = 0;  // plain layout
  bool writable = true;
  bool host = true;  // the host may follow the address

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  template <class T>
  T* row(int64_t index) const {
    return reinterpret_cast<T*>(data + index * rowBytes);
  }
};

// The tokens of a step as the cache sees them: token r has position positions[r] of the sequence whose block table is
// blocks[tables[r]], blocks[tables[r] + 1], ...
struct CachedTokens {
  Tensor positions, tables, blocks;
  Tensor pool;  // rows = blocks of KV, columns = f16 elements of one block
  int64_t layerOffset = 0;
  int headSize = 0;
  int kvHeads = 0;
};

namespace op {

struct Signal {
  int event;
};
struct Wait {
  int event;
};
struct Await {
  Tensor word;
  int32_t value;
};
struct Embedding {
  Tensor table, ids, out;
};
struct RmsNorm {
  Tensor x, weight, out;
  float epsilon;
};
struct Encode {
  Tensor x, out;
};
struct MatMul {
  Tensor weight, x;
  std::optional<Tensor> bias;
  Tensor out;
};
struct RopeAngles {
  Tensor positions, frequencies, out;
};
struct Rope {
  Tensor x, angles;
  int headSize;
  td_rope_layout layout;
};
struct StoreKv {
  Tensor k, v;
  CachedTokens tokens;
};
struct Attention {
  Tensor q, out;
  CachedTokens tokens;
  float scale;
};
struct Gated {
  Tensor x, y, out;
  td_gate gate;
};
struct Add {
  Tensor x, y, out;
};
struct Gather {
  Tensor x, rows, out;
};
struct Copy {
  Tensor x, out;
};
struct Adjust {
  Tensor logits, counts, ids, factors, addends;
};
struct Select {
  Tensor logits, ids, values, logSums;
};
struct Pick {
  Tensor logits, values, logSums;  // of all rows
  Tensor rows, settings, pickedIds, pickedValues;
};

}  // namespace op

using Operation = std::variant<op::Signal, op::Wait, op::Await, op::Embedding, op::RmsNorm, op::Encode, op::MatMul,
                               op::RopeAngles, op::Rope, op::StoreKv, op::Attention, op::Gated, op::Add, op::Gather,
                               op::Copy, op::Adjust, op::Select, op::Pick>;

// An operation in its place.
struct ProgramEntry {
  Operation operation;
  int stream = 0;
  const int32_t* extent =
      nullptr;           // where the number of rows stands when the operation starts; null for signal and wait
  int64_t mostRows = 0;  // what its tensors can hold
  int64_t minimumNanos = 0;
};

// The number of rows of an operation about to start, checked against what its tensors can hold.
int64_t rowsOf(const int32_t* extent, int64_t mostRows);

// Calls change(Tensor&) for every tensor of an operation.
template <class Change>
void forEachTensor(Operation& operation, Change change) {
  const auto all = [&](auto&... tensors) { (change(tensors), ...); };
  const auto cached = [&](CachedTokens& t) { all(t.positions, t.tables, t.blocks, t.pool); };
  struct Visitor {
    decltype(all)& each;
    decltype(cached)& eachOf;
    void operator()(op::Signal&) const {}
    void operator()(op::Wait&) const {}
    void operator()(op::Await& o) const { each(o.word); }
    void operator()(op::Embedding& o) const { each(o.table, o.ids, o.out); }
    void operator()(op::RmsNorm& o) const { each(o.x, o.weight, o.out); }
    void operator()(op::Encode& o) const { each(o.x, o.out); }
    void operator()(op::MatMul& o) const {
      each(o.weight, o.x, o.out);
      if (o.bias) each(*o.bias);
    }
    void operator()(op::RopeAngles& o) const { each(o.positions, o.frequencies, o.out); }
    void operator()(op::Rope& o) const { each(o.x, o.angles); }
    void operator()(op::StoreKv& o) const { each(o.k, o.v), eachOf(o.tokens); }
    void operator()(op::Attention& o) const { each(o.q, o.out), eachOf(o.tokens); }
    void operator()(op::Gated& o) const { each(o.x, o.y, o.out); }
    void operator()(op::Add& o) const { each(o.x, o.y, o.out); }
    void operator()(op::Gather& o) const { each(o.x, o.rows, o.out); }
    void operator()(op::Copy& o) const { each(o.x, o.out); }
    void operator()(op::Adjust& o) const { each(o.logits, o.counts, o.ids, o.factors, o.addends); }
    void operator()(op::Select& o) const { each(o.logits, o.ids, o.values, o.logSums); }
    void operator()(op::Pick& o) const {
      each(o.logits, o.values, o.logSums, o.rows, o.settings, o.pickedIds, o.pickedValues);
    }
  };
  std::visit(Visitor{all, cached}, operation);
}

}  // namespace td
