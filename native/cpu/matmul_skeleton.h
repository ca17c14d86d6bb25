// The skeleton of every matmul kernel: row groups outside, tokens inside; a tile of G row groups by N tokens at a time lies
// in registers, so that G groups share the reading of the activations and N tokens that of the weights. A format brings
//
//   static constexpr int64_t tileBytes;
//   static constexpr int kMostTokens;  // the largest N: as many as the registers hold
//   template <int G, int N> static void multiply(const TileRun& w, const TokenRun& x, F32x16 (&sum)[G][N]);
//
// which adds the products of G row groups with N tokens to their sums, block after block: the order of summation knows
// neither G nor N.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

constexpr int kMostGroups = TD_LEVEL == 2 ? 2 : 1;  // 32 registers of 16 lanes, or 16 of half as many

// Row groups: their tiles, and how far it is from one group to the next.
struct TileRun {
  const uint8_t* tiles;
  int64_t groupBytes;
  int64_t blocks;  // tiles per group
  int64_t columns;
};

// Tokens: their encoded activations, and how far it is from one to the next.
struct TokenRun {
  const uint8_t* x;
  int64_t rowBytes;
};

template <class Format, int G, int N>
inline void multiplyTile(const MatMulPiece& piece, int64_t group, int64_t token) {
  F32x16 sum[G][N];
  for (auto& ofGroup : sum) {
    for (F32x16& s : ofGroup) s = zeroF();
  }
  const int64_t groupBytes = piece.blocks * Format::tileBytes;
  Format::template multiply<G, N>({piece.tiles + group * groupBytes, groupBytes, piece.blocks, piece.columns},
                                  {piece.x + token * piece.xRowBytes, piece.xRowBytes}, sum);
  constexpr int64_t kRows = TD_TILE_ROWS;
  for (int g = 0; g < G; ++g) {
    const int64_t row = (group + g) * kRows, left = piece.rows - row;
    const int rows = static_cast<int>(left < kRows ? left : kRows);
    for (int n = 0; n < N; ++n) {
      F32x16 y = sum[g][n];
      if (piece.bias != nullptr) y = add(y, loadFirst(piece.bias + row, rows));
      storeFirst(piece.y + (token + n) * piece.yStride + row, y, rows);
    }
  }
}

// The same for `tokens` tokens, of which there are at most N.
template <class Format, int G, int N>
inline void multiplySome(const MatMulPiece& piece, int64_t group, int64_t token, int64_t tokens) {
  if constexpr (N > 0) {
    if (tokens == N) {
      multiplyTile<Format, G, N>(piece, group, token);
    } else {
      multiplySome<Format, G, N - 1>(piece, group, token, tokens);
    }
  }
}

// G row groups times all tokens, cut into parts that differ by one at most: eight tokens are 4 + 4, not 6 + 2.
template <class Format, int G>
inline void multiplyAll(const MatMulPiece& piece, int64_t group) {
  const int64_t parts = (piece.tokens + Format::kMostTokens - 1) / Format::kMostTokens;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t token = part * piece.tokens / parts, end = (part + 1) * piece.tokens / parts;
    multiplySome<Format, G, Format::kMostTokens>(piece, group, token, end - token);
  }
}

template <class Format>
inline void matmulGroups(const MatMulPiece& piece) {
  int64_t group = 0;
  for (; group + kMostGroups <= piece.groups; group += kMostGroups) multiplyAll<Format, kMostGroups>(piece, group);
  for (; group < piece.groups; ++group) multiplyAll<Format, 1>(piece, group);
}

}  // namespace td::TD_ISA
