// The paged KV cache. A pool is a run of blocks; a block holds 16 positions of one sequence for all layers whose home
// is the pool:
//
//   block:  layer a | layer b | ...                          (an operation is told its layer's offset inside a block)
//   layer:  per KV head:  K [head_size][16 positions]  V [16 positions][head_size]          f16
//
// K lies dimension by dimension, so that 16 lanes are 16 positions and a score needs no sum across lanes; V lies
// position by position, so that 16 lanes are 16 dimensions. The layout is the same on host and device: a swap is one
// copy per block.
#pragma once

#include <cstdint>

#include "tandem.h"

namespace td {

constexpr int kKvTokens = TD_KV_BLOCK_TOKENS;
constexpr int kPiece = TD_ATTENTION_PIECE;  // attention splits a context in pieces of so many positions (invariant 1)
static_assert(kPiece % kKvTokens == 0);

// Elements of one KV head of one layer in a block.
inline int64_t kvHeadElements(int headSize) {
  return int64_t{2} * kKvTokens * headSize;
}

// Bytes of one layer in a block.
inline int64_t kvLayerBytes(int kvHeads, int headSize) {
  return int64_t{2} * kvHeads * kvHeadElements(headSize);
}

}  // namespace td
