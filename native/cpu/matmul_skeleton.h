// The skeleton of every matmul kernel: row groups outside, tokens inside, a few tokens at a time in registers. A format
// brings
//
//   template <int N> static void multiply(const uint8_t* tiles, int64_t blocks, int64_t columns, const uint8_t* x,
//   int64_t xRowBytes,
//                                         F32x16 (&sum)[N]);
//
// which adds one row group's products with N tokens to their sums, block after block: the order of summation does not
// know N.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

#if TD_LEVEL == 2
constexpr int kMostTokens = 8;  // that many sums, dot products and the weights fit the registers
#else
constexpr int kMostTokens = 4;
#endif

template <class Format, int N>
inline void groupTimesTokens(const MatMulPiece& piece, int64_t group, int64_t token, int64_t groupBytes) {
  F32x16 sum[N];
  for (F32x16& s : sum) s = zeroF();
  Format::template multiply<N>(piece.tiles + group * groupBytes, piece.blocks, piece.columns,
                               piece.x + token * piece.xRowBytes, piece.xRowBytes, sum);
  constexpr int64_t kRows = TD_TILE_ROWS;
  const int64_t row = group * kRows;
  const int rows = static_cast<int>(piece.rows - row < kRows ? piece.rows - row : kRows);
  for (int n = 0; n < N; ++n) {
    F32x16 y = sum[n];
    if (piece.bias != nullptr) y = add(y, loadFirst(piece.bias + row, rows));
    storeFirst(piece.y + (token + n) * piece.yStride + row, y, rows);
  }
}

template <class Format, int N>
inline void lastTokens(const MatMulPiece& piece, int64_t group, int64_t token, int64_t groupBytes, int64_t left) {
  if constexpr (N > 0) {
    if (left == N) {
      groupTimesTokens<Format, N>(piece, group, token, groupBytes);
    } else {
      lastTokens<Format, N - 1>(piece, group, token, groupBytes, left);
    }
  }
}

template <class Format>
inline void matmulGroups(const MatMulPiece& piece) {
  const int64_t groupBytes = piece.blocks * Format::tileBytes;
  for (int64_t group = 0; group < piece.groups; ++group) {
    int64_t token = 0;
    for (; token + kMostTokens <= piece.tokens; token += kMostTokens) {
      groupTimesTokens<Format, kMostTokens>(piece, group, token, groupBytes);
    }
    lastTokens<Format, kMostTokens - 1>(piece, group, token, groupBytes, piece.tokens - token);
  }
}

}  // namespace td::TD_ISA
