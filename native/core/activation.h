// Activations as matmul reads them. They are encoded once per matmul input, the same way for one token and for many.
#pragma once

#include <cstdint>

#include "tandem.h"

namespace td {

// 32 activations as int8: value = scale * quant, scale = max|x| / 127, rounded to nearest even. The sums let a kernel treat weights as
// unsigned, or add a format's minimum, without touching the quants again. A block with a NaN or an infinity has scale NaN: it poisons
// every result, so that it cannot pass unnoticed. A block of values below 2^-100 counts as zeros.
struct Act8Block {
  int8_t quants[32];
  float scale;
  float scaledSum;   // scale * sum
  int32_t sum;       // of all 32 quants
  int32_t firstSum;  // of quants 0..15
};
static_assert(sizeof(Act8Block) == 48);

constexpr int kActBlock = 32;

// Bytes of a row of activations of a type: TD_F32, TD_ACT8 or TD_ACTBF16 (padded to pairs).
inline int64_t activationRowBytes(int32_t type, int64_t columns) {
  switch (type) {
    case TD_ACT8: return (columns + kActBlock - 1) / kActBlock * static_cast<int64_t>(sizeof(Act8Block));
    case TD_ACTBF16: return (columns + 1) / 2 * 4;
    default: return columns * 4;
  }
}

}  // namespace td
