// Unquantised weights: F32 and F16 times float activations, BF16 times float or, where the instruction set has the dot
// product, bf16 activations. y[r] = one chain of fused multiply-adds in the order of the columns.
#include "cpu/matmul_skeleton.h"

namespace td::TD_ISA {
namespace {

#ifdef TD_SANITIZED  // as in matmul_quantized.h
constexpr int kFloatTokens = 4;
#else
constexpr int kFloatTokens = TD_LEVEL == 2 ? 12 : TD_LEVEL == 1 ? 6 : 4;
#endif

// Fetches a line of every group's stream, as far ahead as the run says. A loop so short, with all registers in use,
// bears no more bookkeeping.
template <int G>
inline void fetchStreams(const TileRun& run, const uint8_t* tile) {
  for (int g = 0; g < G; ++g) __builtin_prefetch(tile + (run.fetch - run.tiles) + g * run.groupBytes);
}

// The weights of one column by 16 rows, from a tile that is one column.
struct F32 {
  static constexpr int64_t tileBytes = 16 * 4;
  static F32x16 column(const uint8_t* tile) { return load(reinterpret_cast<const float*>(tile)); }
};
struct F16 {
  static constexpr int64_t tileBytes = 16 * 2;
  static F32x16 column(const uint8_t* tile) { return loadHalf(reinterpret_cast<const uint16_t*>(tile)); }
};

template <class Weights>
struct Columns {
  static constexpr int64_t tileBytes = Weights::tileBytes;
  static constexpr int kMostTokens = kFloatTokens;
  static constexpr int kStreamTokens = kFloatTokens;
  static constexpr int kStreams = TD_LEVEL == 2 ? 2 : 1;  // one chain of sums is slower than memory

  template <bool Few, int G, int N>
  [[gnu::always_inline]] static void multiply(const TileRun& run, const TokenRun& tokens, F32x16 (&sum)[G][N]) {
    const float* x[N];
    for (int n = 0; n < N; ++n) x[n] = reinterpret_cast<const float*>(tokens.x + n * tokens.rowBytes);
    const uint8_t* tile = run.tiles;
    for (int64_t k = 0; k < run.blocks; ++k, tile += tileBytes) {
      if constexpr (Few) fetchStreams<G>(run, tile);
      F32x16 w[G];
      for (int g = 0; g < G; ++g) w[g] = Weights::column(tile + g * run.groupBytes);
      for (int n = 0; n < N; ++n) {
        const F32x16 xk = broadcast(x[n][k]);
        for (int g = 0; g < G; ++g) sum[g][n] = mulAdd(w[g], xk, sum[g][n]);
      }
    }
  }
};

// A tile is a pair of columns; an odd last one has a zero beside it, and no activation.
struct Bf16 {
  static constexpr int64_t tileBytes = 16 * 4;
  static constexpr int kMostTokens = kFloatTokens;
  static constexpr int kStreamTokens = kFloatTokens;
  static constexpr int kStreams = 1;

#if TD_LEVEL == 2
  template <bool Few, int G, int N>
  [[gnu::always_inline]] static void multiply(const TileRun& run, const TokenRun& tokens, F32x16 (&sum)[G][N]) {
    const int32_t* x[N];
    for (int n = 0; n < N; ++n) x[n] = reinterpret_cast<const int32_t*>(tokens.x + n * tokens.rowBytes);
    const uint8_t* tile = run.tiles;
    for (int64_t k = 0; k < run.blocks; ++k, tile += tileBytes) {  // the encoded activations are padded to pairs
      if constexpr (Few) fetchStreams<G>(run, tile);
      __m512bh w[G];
      for (int g = 0; g < G; ++g) w[g] = (__m512bh)_mm512_loadu_si512(tile + g * run.groupBytes);
      for (int n = 0; n < N; ++n) {
        const auto pair = (__m512bh)_mm512_set1_epi32(x[n][k]);
        for (int g = 0; g < G; ++g) sum[g][n].v = _mm512_dpbf16_ps(sum[g][n].v, w[g], pair);
      }
    }
  }
#else
  template <bool Few, int G, int N>
  [[gnu::always_inline]] static void multiply(const TileRun& run, const TokenRun& tokens, F32x16 (&sum)[G][N]) {
    const auto add = [&](F32x16 (*column)(const uint8_t*), int64_t k) {
      for (int g = 0; g < G; ++g) {
        const uint8_t* tile = run.tiles + g * run.groupBytes + k / 2 * tileBytes;
        const F32x16 w = column(tile);
        for (int n = 0; n < N; ++n) {
          const float* x = reinterpret_cast<const float*>(tokens.x + n * tokens.rowBytes);
          sum[g][n] = mulAdd(w, broadcast(x[k]), sum[g][n]);
        }
      }
    };
    for (int64_t k = 0; k < 2 * run.blocks; k += 2) {
      if constexpr (Few) fetchStreams<G>(run, run.tiles + k / 2 * tileBytes);
      add(loadBf16Even, k);
      if (k + 1 < run.columns) add(loadBf16Odd, k + 1);
    }
  }
#endif
};

}  // namespace

void matmulF32(const MatMulPiece& piece) {
  matmulGroups<Columns<F32>>(piece);
}
void matmulF16(const MatMulPiece& piece) {
  matmulGroups<Columns<F16>>(piece);
}
void matmulBf16(const MatMulPiece& piece) {
  matmulGroups<Bf16>(piece);
}

}  // namespace td::TD_ISA
