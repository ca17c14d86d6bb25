// The skeleton of every matmul kernel: row groups outside, tokens inside; a tile of G row groups by N tokens at a time
// lies in registers, so that G groups share the reading of the activations and N tokens that of the weights. A format
// brings
//
//   static constexpr int64_t tileBytes;
//   static constexpr int kMostTokens;    // the largest N beside kMostGroups: as many as the registers hold
//   static constexpr int kStreamTokens;  // up to so many tokens, memory is what counts:
//   static constexpr int kStreams;       // then G is this, and N all tokens
//   using Unpacked = ...;                // if there is one: the format that many tokens are multiplied with,
//   static constexpr int kUnpackedTokens;  // if there are so many;
//   template <int G>                       // and how G row groups become it, in the piece's work memory
//   static TileRun unpack(const TileRun& w, uint8_t* work);
//   template <bool Few, int G, int N>
//   static void multiply(const TileRun& w, const TokenRun& x, F32x16 (&sum)[G][N]);
//
// which adds the products of G row groups with N tokens to their sums, block after block: the order of summation knows
// neither G nor N. Meanwhile it fetches what the run says, because weights should be asked for well before they are
// used: where the hardware is left to foresee it, few tokens see a third of the bandwidth
// (docs/benchmarks/cpu-notes.md).
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

constexpr int kMostGroups = TD_LEVEL == 2 ? 2 : 1;  // 32 registers of 16 lanes, or 16 of half as many

// Row groups: their tiles, and how far it is from one group to the next. Beside them, what to fetch meanwhile.
struct TileRun {
  const uint8_t* tiles;
  int64_t groupBytes;
  int64_t blocks;  // tiles per group
  int64_t columns;
  // Few tokens: the same groups a little later, a stream each. Many: the next groups, or a part of them, in one piece.
  const uint8_t* fetch;
  int64_t fetchBytes;
};

// Tokens: their encoded activations, and how far it is from one to the next.
struct TokenRun {
  const uint8_t* x;
  int64_t rowBytes;
};

// Brings what a run says into the first cache, evenly while its blocks are computed.
template <int Streams>
class Fetch {
 public:
  explicit Fetch(const TileRun& w)
      : from_(w.fetch), bytes_(w.fetchBytes), apart_(w.groupBytes), perBlock_(w.fetchBytes / w.blocks + 1) {}

  // Called once per block.
  void some() {
    until_ += perBlock_;
    for (; fetched_ < until_ && fetched_ < bytes_; fetched_ += 64) {
      for (int i = 0; i < Streams; ++i) __builtin_prefetch(from_ + i * apart_ + fetched_);
    }
  }

 private:
  const uint8_t* from_;
  int64_t bytes_, apart_, perBlock_, until_ = 0, fetched_ = 0;
};

template <class Format, bool Few, int G, int N>
inline void multiplyTile(const MatMulPiece& piece, const TileRun& w, int64_t group, int64_t token) {
  F32x16 sum[G][N];
  for (auto& ofGroup : sum) {
    for (F32x16& s : ofGroup) s = zeroF();
  }
  if constexpr (!Few) {  // the lines of the results, which lie far from each other, are there when the sums are
    for (int n = 0; n < N; ++n) {
      for (int g = 0; g < G; ++g) {
        __builtin_prefetch(piece.y + (token + n) * piece.yStride + (group + g) * TD_TILE_ROWS, 1);
      }
    }
  }
  Format::template multiply<Few, G, N>(w, {piece.x + token * piece.xRowBytes, piece.xRowBytes}, sum);
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

// The same for `tokens` tokens, of which there are from Least to N.
template <class Format, bool Few, int G, int Least, int N>
inline void multiplySome(const MatMulPiece& piece, const TileRun& w, int64_t group, int64_t token, int64_t tokens) {
  if constexpr (N >= Least) {
    if (tokens == N) {
      multiplyTile<Format, Few, G, N>(piece, w, group, token);
    } else {
      multiplySome<Format, Few, G, Least, N - 1>(piece, w, group, token, tokens);
    }
  }
}

// G row groups times a few tokens, all at once: what is fetched is what these very groups need a little later.
template <class Format, int G>
inline void multiplyFew(const MatMulPiece& piece, TileRun w, int64_t group, int64_t token, int64_t tokens) {
  constexpr int64_t kAhead = 8192;
  w.tiles += group * w.groupBytes;
  w.fetch = w.tiles + kAhead;
  w.fetchBytes = w.groupBytes;
  multiplySome<Format, true, G, 1, Format::kStreamTokens>(piece, w, group, token, tokens);
}

// G row groups times many tokens, cut into parts that differ by one at most: fourteen tokens are 4 + 5 + 5. Meanwhile
// `next` bytes of the groups that follow are fetched, which the first part of those would wait for.
template <class Format, int G>
inline void multiplyParts(const MatMulPiece& piece, TileRun w, int64_t group, const uint8_t* following, int64_t next) {
  const int64_t parts = (piece.tokens + Format::kMostTokens - 1) / Format::kMostTokens;
  for (int64_t part = 0; part < parts; ++part) {
    w.fetch = following + next * part / parts;
    w.fetchBytes = next * (part + 1) / parts - next * part / parts;
    const int64_t token = part * piece.tokens / parts, end = (part + 1) * piece.tokens / parts;
    // There are more tokens than fit one part, so that no part is less than half of one.
    multiplySome<Format, false, G, Format::kMostTokens / 2, Format::kMostTokens>(piece, w, group, token, end - token);
  }
}

template <class Format, int G>
inline void multiplyMany(const MatMulPiece& piece, TileRun w, int64_t group) {
  w.tiles += group * w.groupBytes;
  const uint8_t* const following = w.tiles + G * w.groupBytes;
  const int64_t next = group + 2 * G <= piece.groups ? G * w.groupBytes : 0;
  if constexpr (requires { typename Format::Unpacked; }) {
    if (piece.work != nullptr && piece.tokens >= Format::kUnpackedTokens) {
      const TileRun unpacked = Format::template unpack<G>(w, piece.work);
      return multiplyParts<typename Format::Unpacked, G>(piece, unpacked, group, following, next);
    }
  }
  multiplyParts<Format, G>(piece, w, group, following, next);
}

template <class Format>
inline void matmulGroups(const MatMulPiece& piece) {
  static_assert(Format::kStreamTokens >= Format::kMostTokens);
  const TileRun w{piece.tiles, piece.blocks * Format::tileBytes, piece.blocks, piece.columns, nullptr, 0};
  int64_t group = 0;
  if (piece.tokens > Format::kStreamTokens) {
    for (; group + kMostGroups <= piece.groups; group += kMostGroups) {
      multiplyMany<Format, kMostGroups>(piece, w, group);
    }
  } else {
    constexpr int kGroups = Format::kStreams;
    for (; group + kGroups <= piece.groups; group += kGroups) {
      multiplyFew<Format, kGroups>(piece, w, group, 0, piece.tokens);
    }
  }
  for (; group < piece.groups; ++group) {  // the last, where groups go in pairs
    for (int64_t token = 0; token < piece.tokens; token += Format::kStreamTokens) {
      const int64_t left = piece.tokens - token;
      multiplyFew<Format, 1>(piece, w, group, token, left < Format::kStreamTokens ? left : Format::kStreamTokens);
    }
  }
}

}  // namespace td::TD_ISA
