// Unquantised weights: F32 and F16 times float activations, BF16 times float or, where the instruction set has the dot
// product, bf16 activations. y[r] = one chain of fused multiply-adds in the order of the columns.
#include "cpu/matmul_skeleton.h"

namespace td::TD_ISA {
namespace {

inline const float* floats(const uint8_t* x, int64_t xRowBytes, int token) {
  return reinterpret_cast<const float*>(x + token * xRowBytes);
}

struct F32 {
  static constexpr int64_t tileBytes = 16 * 4;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* x, int64_t xRowBytes,
                       F32x16 (&sum)[N]) {
    const float* w = reinterpret_cast<const float*>(tiles);
    for (int64_t k = 0; k < blocks; ++k) {
      const F32x16 column = load(w + 16 * k);
      for (int n = 0; n < N; ++n) sum[n] = mulAdd(column, broadcast(floats(x, xRowBytes, n)[k]), sum[n]);
    }
  }
};

struct F16 {
  static constexpr int64_t tileBytes = 16 * 2;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* x, int64_t xRowBytes,
                       F32x16 (&sum)[N]) {
    const uint16_t* w = reinterpret_cast<const uint16_t*>(tiles);
    for (int64_t k = 0; k < blocks; ++k) {
      const F32x16 column = loadHalf(w + 16 * k);
      for (int n = 0; n < N; ++n) sum[n] = mulAdd(column, broadcast(floats(x, xRowBytes, n)[k]), sum[n]);
    }
  }
};

// A block is a pair of columns; an odd last one has a zero beside it, and no activation.
struct Bf16 {
  static constexpr int64_t tileBytes = 16 * 4;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t columns, const uint8_t* x, int64_t xRowBytes,
                       F32x16 (&sum)[N]) {
#if TD_LEVEL == 2
    (void)columns;  // the encoded activations are padded
    for (int64_t k = 0; k < blocks; ++k) {
      const __m512bh w = (__m512bh)_mm512_loadu_si512(tiles + tileBytes * k);
      for (int n = 0; n < N; ++n) {
        int32_t pair;
        memcpy(&pair, x + n * xRowBytes + 4 * k, sizeof pair);
        sum[n].v = _mm512_dpbf16_ps(sum[n].v, w, (__m512bh)_mm512_set1_epi32(pair));
      }
    }
#else
    for (int64_t k = 0; k < columns / 2; ++k) {
      const F32x16 even = loadBf16Even(tiles + tileBytes * k), odd = loadBf16Odd(tiles + tileBytes * k);
      for (int n = 0; n < N; ++n) {
        const float* pair = floats(x, xRowBytes, n) + 2 * k;
        sum[n] = mulAdd(odd, broadcast(pair[1]), mulAdd(even, broadcast(pair[0]), sum[n]));
      }
    }
    if (columns % 2 != 0) {
      const F32x16 even = loadBf16Even(tiles + tileBytes * (blocks - 1));
      for (int n = 0; n < N; ++n) sum[n] = mulAdd(even, broadcast(floats(x, xRowBytes, n)[columns - 1]), sum[n]);
    }
#endif
  }
};

}  // namespace

void matmulF32(const MatMulPiece& piece) {
  matmulGroups<F32>(piece);
}
void matmulF16(const MatMulPiece& piece) {
  matmulGroups<F16>(piece);
}
void matmulBf16(const MatMulPiece& piece) {
  matmulGroups<Bf16>(piece);
}

}  // namespace td::TD_ISA
