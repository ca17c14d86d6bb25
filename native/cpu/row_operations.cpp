// Operations that treat every row by itself: a chunk is a few rows.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/formats.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

// Runs `each(row)` for every row. rowCost: about how many nanoseconds a row takes, to make chunks of some 20
// microseconds.
template <class Each>
class RowOperation final : public CpuOperation {
 public:
  RowOperation(double rowCost, Each each)
      : byTime_(std::max<int64_t>(1, static_cast<int64_t>(20e3 / rowCost))), each_(std::move(each)) {}

  int64_t open(int, int64_t rows) override {
    rows_ = rows;
    perChunk_ = Job::perChunk(rows, byTime_);
    return (rows + perChunk_ - 1) / perChunk_;
  }

  void run(int, int64_t chunk, uint8_t*) override {
    for (int64_t row = chunk * perChunk_; row < std::min(rows_, (chunk + 1) * perChunk_); ++row) each_(row);
  }

 private:
  const int64_t byTime_;
  const Each each_;
  int64_t rows_ = 0, perChunk_ = 1;
};

template <class Each>
std::unique_ptr<CpuOperation> perRow(int64_t columns, double nanosPerColumn, Each each) {
  return std::make_unique<RowOperation<Each>>(1 + static_cast<double>(columns) * nanosPerColumn, std::move(each));
}

std::unique_ptr<CpuOperation> make(const op::Embedding& o, const CpuTarget&) {
  const Format& format = formatOf(o.table.type);
  return perRow(o.out.columns, 1.0, [o, &format](int64_t row) {
    const int64_t id = checkedIndex(o.ids, row, o.table.rows, "embedding: token id");
    decodeRow(format, o.table.layout, o.table.data, o.table.columns, id, o.out.row<float>(row));
  });
}

std::unique_ptr<CpuOperation> make(const op::RmsNorm& o, const CpuTarget& target) {
  return perRow(o.x.columns, 0.2, [o, norm = target.kernels.rmsNorm](int64_t row) {
    norm(o.x.row<float>(row), o.weight.as<float>(), o.x.columns, o.epsilon, o.out.row<float>(row));
  });
}

std::unique_ptr<CpuOperation> make(const op::Encode& o, const CpuTarget& target) {
  return perRow(o.x.columns, 0.3, [o, &kernels = target.kernels](int64_t row) {
    if (o.out.type == TD_ACT8) {
      kernels.encode8(o.x.row<float>(row), o.x.columns, o.out.row<Act8Block>(row));
    } else {
      kernels.encodeBf16(o.x.row<float>(row), o.x.columns, o.out.row<uint16_t>(row));
    }
  });
}

// In double precision: a float loses the angle of a far position.
std::unique_ptr<CpuOperation> make(const op::RopeAngles& o, const CpuTarget&) {
  return perRow(o.out.columns, 20.0, [o](int64_t row) {
    const double position = *o.positions.row<int32_t>(row);
    float* out = o.out.row<float>(row);
    for (int64_t i = 0; i < o.frequencies.columns; ++i) {
      const double angle = position * o.frequencies.as<double>()[i];
      out[2 * i] = static_cast<float>(std::cos(angle));
      out[2 * i + 1] = static_cast<float>(std::sin(angle));
    }
  });
}

std::unique_ptr<CpuOperation> make(const op::Rope& o, const CpuTarget& target) {
  return perRow(o.x.columns, 1.0, [o, rope = target.kernels.rope](int64_t row) {
    rope(o.x.row<float>(row), o.x.columns / o.headSize, o.headSize, o.angles.row<float>(row), o.angles.columns / 2,
         o.layout);
  });
}

std::unique_ptr<CpuOperation> make(const op::StoreKv& o, const CpuTarget& target) {
  return perRow(2 * o.k.columns, 1.0, [o, store = target.kernels.storeKv](int64_t row) {
    const int64_t position = positionOf(o.tokens, row);
    const int headSize = o.tokens.headSize;
    for (int head = 0; head < o.tokens.kvHeads; ++head) {
      auto* block = const_cast<uint16_t*>(kvBlock(o.tokens, row, position / kKvTokens, head));
      store(o.k.row<float>(row) + head * headSize, o.v.row<float>(row) + head * headSize, headSize,
            static_cast<int>(position % kKvTokens), block);
    }
  });
}

std::unique_ptr<CpuOperation> make(const op::Gated& o, const CpuTarget& target) {
  return perRow(o.x.columns, 0.6, [o, silu = target.kernels.silu](int64_t row) {
    silu(o.x.row<float>(row), o.y.row<float>(row), o.out.row<float>(row), o.x.columns);
  });
}

std::unique_ptr<CpuOperation> make(const op::Add& o, const CpuTarget& target) {
  return perRow(o.x.columns, 0.2, [o, add = target.kernels.add](int64_t row) {
    add(o.x.row<float>(row), o.y.row<float>(row), o.out.row<float>(row), o.x.columns);
  });
}

std::unique_ptr<CpuOperation> make(const op::Gather& o, const CpuTarget&) {
  return perRow(o.x.columns, 0.2, [o](int64_t row) {
    const int64_t from = checkedIndex(o.rows, row, o.x.rows, "gather: row");
    memcpy(o.out.row<float>(row), o.x.row<float>(from), static_cast<size_t>(o.x.rowBytes));
  });
}

std::unique_ptr<CpuOperation> make(const op::Copy& o, const CpuTarget&) {
  return perRow(o.x.rowBytes, 0.05, [o](int64_t row) {
    memcpy(o.out.row<uint8_t>(row), o.x.row<uint8_t>(row), static_cast<size_t>(o.x.rowBytes));
  });
}

}  // namespace

std::unique_ptr<CpuOperation> compileOperation(const Operation& operation, const CpuTarget& target) {
  return std::visit(
      [&](const auto& o) -> std::unique_ptr<CpuOperation> {
        using Kind = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<Kind, op::Signal> || std::is_same_v<Kind, op::Wait>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Kind, op::Await>) {
          return makeAwait(o);
        } else if constexpr (std::is_same_v<Kind, op::MatMul>) {
          return makeMatMuls({&o, 1}, target);
        } else if constexpr (std::is_same_v<Kind, op::Attention>) {
          return makeAttention(o, target);
        } else if constexpr (std::is_same_v<Kind, op::Adjust>) {
          return makeAdjust(o, target);
        } else if constexpr (std::is_same_v<Kind, op::Select>) {
          return makeSelect(o, target);
        } else if constexpr (std::is_same_v<Kind, op::Pick>) {
          return makePick(o, target);
        } else {
          return make(o, target);
        }
      },
      operation);
}

int64_t checkedIndex(const Tensor& indices, int64_t row, int64_t bound, const char* what) {
  const int32_t index = *indices.row<int32_t>(row);
  if (index < 0 || index >= bound) {
    fail(TD_INVALID_ARGUMENT, "%s %d in row %lld is not below %lld", what, index, static_cast<long long>(row),
         static_cast<long long>(bound));
  }
  return index;
}

int64_t positionOf(const CachedTokens& tokens, int64_t token) {
  const int32_t position = *tokens.positions.row<int32_t>(token);
  if (position < 0)
    fail(TD_INVALID_ARGUMENT, "token %lld: position %d is negative", static_cast<long long>(token), position);
  return position;
}

const uint16_t* kvBlock(const CachedTokens& tokens, int64_t token, int64_t index, int kvHead) {
  const int64_t entry = *tokens.tables.row<int32_t>(token) + index;
  const int64_t entries = tokens.blocks.rows * tokens.blocks.columns;
  if (entry < 0 || entry >= entries) {
    fail(TD_INVALID_ARGUMENT, "token %lld: entry %lld of the block tables is not below %lld",
         static_cast<long long>(token), static_cast<long long>(entry), static_cast<long long>(entries));
  }
  const int32_t block = tokens.blocks.as<int32_t>()[entry];
  if (block < 0 || block >= tokens.pool.rows) {
    fail(TD_INVALID_ARGUMENT, "token %lld: KV block %d is not below %lld", static_cast<long long>(token), block,
         static_cast<long long>(tokens.pool.rows));
  }
  const uint8_t* layer = tokens.pool.data + block * tokens.pool.rowBytes + tokens.layerOffset;
  return reinterpret_cast<const uint16_t*>(layer) + kvHead * kvHeadElements(tokens.headSize);
}

}  // namespace td
