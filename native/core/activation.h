// Activations as matmul reads them. They are encoded once per matmul input, the same way for one token and for many.
#pragma once

#include <cstdint>

#include "tandem.h"

namespace td {

// 32 activations as int8: value = scale * quant, scale = max|x| / 127, rounded to nearest even. The sums let a kernel
// treat weights as unsigned, or add a format's minimum, without touching the quants again. A block with a NaN or an
// infinity has scale NaN: it poisons every result, so that it cannot pass unnoticed. A block of values below 2^-100
// counts as zeros.
struct Act8Block {
  int8_t quants[32];
  float scale;
  float scaledSum;  // scale * sum of the quants
  int32_t minusSum;       // of all 32 quants, negated: times a format's offset it is what a dot product starts from
  int32_t minusFirstSum;  // of quants 0..15, likewise
};
static_assert(sizeof(Act8Block) == 48);

// What rounding left over in one of a row's coarsest blocks, encoded once more: a second term of the same dot product.
// A few channels of most models are hundreds of times larger than the rest; their blocks alone make most of int8's
// error, and this takes it away (docs/numerics.md has the figures).
struct Act8Rest {
  Act8Block block;
  int32_t index;  // of the block in the row
  int32_t unused[3];
};
static_assert(sizeof(Act8Rest) == 64);

constexpr int kActBlock = 32;

// A row of TD_ACT8: its blocks, then the rests of the one in sixteen blocks with the largest scales, by ascending
// index.
struct Act8Row {
  explicit Act8Row(int64_t columns) : blocks((columns + kActBlock - 1) / kActBlock), rests((blocks + 15) / 16) {}
  int64_t bytes() const {
    return blocks * static_cast<int64_t>(sizeof(Act8Block)) + rests * static_cast<int64_t>(sizeof(Act8Rest));
  }

  int64_t blocks;
  int64_t rests;
};

// Bytes of a row of activations of a type: TD_F32, TD_ACT8 or TD_ACTBF16 (padded to pairs).
inline int64_t activationRowBytes(int32_t type, int64_t columns) {
  switch (type) {
    case TD_ACT8:
      return Act8Row(columns).bytes();
    case TD_ACTBF16:
      return (columns + 1) / 2 * 4;
    default:
      return columns * 4;
  }
}

}  // namespace td
