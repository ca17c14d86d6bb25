// What the matmul kernels of quantised weights share: y[r] = sum over blocks of (integer dot product) * (weight scale *
// activation scale), plus the format's minimum times the sum of the activations. The dot products are exact, so that
// the tricks of an instruction set do not show; each block ends in one fused multiply-add per term, in the order of the
// blocks, and then of the rests (core/activation.h).
//
// A format brings its unit (one tile: weights of 32 or 256 columns), and how N tokens' activations are multiplied with
// the tiles of G row groups, or one token's with one block of 32 of them.
#pragma once

#include "cpu/matmul_skeleton.h"

namespace td::TD_ISA {

#ifdef TD_SANITIZED  // each width is compiled by itself, which takes minutes with sanitizers
constexpr int kQuantizedTokens = 2, kQuantizedStreamTokens = 2;
#else
constexpr int kQuantizedTokens = TD_LEVEL == 2 ? 6 : 4, kQuantizedStreamTokens = TD_LEVEL == 2 ? 12 : 4;
#endif

inline const uint16_t* halves(const uint8_t* p) {
  return reinterpret_cast<const uint16_t*>(p);
}

// Tiles of G row groups, `stride` bytes apart; x[n] is a token's activations from the tile's first column on.
template <int G, int N, class Rows = const Act8Block* const (&)[N], class Sums = F32x16 (&)[G][N]>
struct TileTimesTokens {
  static constexpr int groups = G, tokens = N;
  const uint8_t* tile;
  int64_t stride;
  Rows x;
  Sums sum;

  const uint8_t* of(int g) const { return tile + g * stride; }

  // Every dot product with block `at` of the activations starts from what `first` says of that block.
  template <class First>
  [[gnu::always_inline]] void start(I32x16 (&dots)[G][N], int at, First first) const {
    for (int n = 0; n < N; ++n) {
      const I32x16 value = first(x[n][at]);
      for (int g = 0; g < G; ++g) dots[g][n] = value;
    }
  }

  // Adds columns 4 * from .. 4 * to of block `at`; weights(g, i) are four columns, from 4 * i on, by the rows of group
  // g.
  template <class Weights>
  [[gnu::always_inline]] void addColumns(I32x16 (&dots)[G][N], int at, int from, int to, Weights weights) const {
    for (int i = from; i < to; ++i) {
      decltype(weights(0, 0)) w[G];
      for (int g = 0; g < G; ++g) w[g] = weights(g, i);
      for (int n = 0; n < N; ++n) {
        const Quad four = quad(x[n][at].quants + 4 * i);
        for (int g = 0; g < G; ++g) dots[g][n] = dotQuad(dots[g][n], w[g], four);
      }
    }
  }

  // sum += dot * (scale * the activations' scale); scale(g) is that of the rows of group g.
  template <class Scale>
  [[gnu::always_inline]] void addScaled(const I32x16 (&dots)[G][N], int at, Scale scale) const {
    F32x16 scales[G];
    for (int g = 0; g < G; ++g) scales[g] = scale(g);
    for (int n = 0; n < N; ++n) {
      const F32x16 xScale = broadcast(x[n][at].scale);
      for (int g = 0; g < G; ++g) sum[g][n] = mulAdd(toFloat(dots[g][n]), mul(scales[g], xScale), sum[g][n]);
    }
  }

  // sum -= minimum * (the sum of the activations); minimum(g) is that of the rows of group g.
  template <class Minimum>
  [[gnu::always_inline]] void subtractMinima(int at, Minimum minimum) const {
    for (int g = 0; g < G; ++g) {
      const F32x16 least = minimum(g);
      for (int n = 0; n < N; ++n) sum[g][n] = negMulAdd(least, broadcast(x[n][at].scaledSum), sum[g][n]);
    }
  }
};

// A format for the skeleton: all tiles of the row groups in their order, then each token's rests.
template <class Weights>
struct Quantized {
  static constexpr int64_t tileBytes = Weights::tileBytes;
  static constexpr int kMostTokens = kQuantizedTokens;

  static constexpr int kStreamTokens = kQuantizedStreamTokens;
  static constexpr int kStreams = 1;

  template <bool Few, int G, int N>
  [[gnu::always_inline]] static void multiply(const TileRun& w, const TokenRun& tokens, F32x16 (&sum)[G][N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = reinterpret_cast<const Act8Block*>(tokens.x + n * tokens.rowBytes);
    Fetch<Few ? G : 1> fetch(w);
    for (int64_t k = 0; k < w.blocks; ++k) {
      fetch.some();
      Weights::tile(TileTimesTokens<G, N>{w.tiles + k * tileBytes, w.groupBytes, x, sum});
      for (int n = 0; n < N; ++n) x[n] += Weights::actBlocks;
    }
    // Where blocks differ by where they stand, the code of many at a time would be long.
    if constexpr (Few || Weights::actBlocks > 1) {
      for (int n = 0; n < N; ++n) {
        F32x16 one[G][1];
        for (int g = 0; g < G; ++g) one[g][0] = sum[g][n];
        addRests<G, 1>(w, {x[n]}, one);
        for (int g = 0; g < G; ++g) sum[g][n] = one[g][0];
      }
    } else {
      addRests<G, N>(w, x, sum);
    }
  }

  // What lies behind the tokens' last blocks, whose weights no other token shares. A function of its own, because it
  // wants the registers for itself.
  template <int G, int N>
  [[gnu::noinline]] static void addRests(const TileRun& w, const Act8Block* const (&behind)[N], F32x16 (&sum)[G][N]) {
    F32x16 inRegisters[N][G][1];
    for (int n = 0; n < N; ++n) {
      for (int g = 0; g < G; ++g) inRegisters[n][g][0] = sum[g][n];
    }
    const int64_t rests = Act8Row(w.columns).rests;
    for (int64_t i = 0; i < rests; ++i) {
#pragma GCC unroll 6
      for (int n = 0; n < N; ++n) {
        const Act8Rest* const rest = reinterpret_cast<const Act8Rest*>(behind[n]) + i;
        const auto index = static_cast<uint32_t>(rest->index);
        const uint8_t* const tile = w.tiles + index / Weights::actBlocks * tileBytes;
        const Act8Block* const block[1] = {&rest->block};
        Weights::block(TileTimesTokens<G, 1>{tile, w.groupBytes, block, inRegisters[n]},
                       static_cast<int>(index % Weights::actBlocks));
      }
    }
    for (int n = 0; n < N; ++n) {
      for (int g = 0; g < G; ++g) sum[g][n] = inRegisters[n][g][0];
    }
  }
};

// One that takes its tiles apart before it multiplies them with many tokens.
template <class Weights>
struct QuantizedUnpacked : Quantized<Weights> {
  using Unpacked = Quantized<typename Weights::Unpacked>;
  static constexpr int kUnpackedTokens = 3 * kQuantizedTokens + 1;             // fewer do not repay it
  static constexpr int64_t kBytes = Weights::actBlocks * Unpacked::tileBytes;  // of a tile

  static int64_t workBytes(int64_t columns) {
    return kMostGroups * columns / (kActBlock * Weights::actBlocks) * kBytes;
  }

  template <int G>
  [[gnu::noinline]] static TileRun unpack(const TileRun& w, uint8_t* work) {
    uint8_t* to = work;
    for (int g = 0; g < G; ++g) {
      const uint8_t* const tiles = w.tiles + g * w.groupBytes;
      for (int64_t k = 0; k < w.blocks; ++k, to += kBytes) Weights::unpack(tiles + k * Weights::tileBytes, to);
    }
    return {work, w.blocks * kBytes, w.blocks * Weights::actBlocks, w.columns, nullptr, 0};
  }
};

}  // namespace td::TD_ISA
