// Quantised weights times int8 activations: y[r] = sum over blocks of (integer dot product) * (weight scale * activation scale), plus
// the format's minimum times the sum of the activations. The dot products are exact, so that the tricks of an instruction set do not
// show; each block ends in one fused multiply-add per term, in the order of the blocks.
#include "cpu/matmul_skeleton.h"

namespace td::TD_ISA {
namespace {

inline const Act8Block* activations(const uint8_t* x, int64_t xRowBytes, int token) {
  return reinterpret_cast<const Act8Block*>(x + token * xRowBytes);
}

inline const uint16_t* halves(const uint8_t* p) { return reinterpret_cast<const uint16_t*>(p); }

// The dot products of a block of 32 4-bit weights in four registers of 64 bytes, low nibbles first, with N tokens.
template <int N>
inline void dotNibbles(const uint8_t* quants, const Act8Block* const (&x)[N], int64_t block, I32x16 (&dot)[N]) {
  for (int g = 0; g < 4; ++g) {
    const Bytes64 packed = load64(quants + 64 * g);
    const Bytes64 low = lowNibbles(packed), high = highNibbles(packed);
    for (int n = 0; n < N; ++n) dot[n] = dotUnsigned(dot[n], low, x[n][block].quants + 4 * g);
    for (int n = 0; n < N; ++n) dot[n] = dotUnsigned(dot[n], high, x[n][block].quants + 16 + 4 * g);
  }
}

struct Q40 {
  static constexpr int64_t tileBytes = 16 * 18;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* xs, int64_t xRowBytes, F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = activations(xs, xRowBytes, n);
    for (int64_t k = 0; k < blocks; ++k, tiles += tileBytes) {
      I32x16 dot[N];
      for (int n = 0; n < N; ++n) dot[n] = broadcastInt(-8 * x[n][k].sum);  // a weight is its nibble - 8
      dotNibbles(tiles + 32, x, k, dot);
      const F32x16 scale = loadHalf(halves(tiles));
      for (int n = 0; n < N; ++n) sum[n] = mulAdd(toFloat(dot[n]), mul(scale, broadcast(x[n][k].scale)), sum[n]);
    }
  }
};

struct Q41 {
  static constexpr int64_t tileBytes = 16 * 20;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* xs, int64_t xRowBytes, F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = activations(xs, xRowBytes, n);
    for (int64_t k = 0; k < blocks; ++k, tiles += tileBytes) {
      I32x16 dot[N];
      for (int n = 0; n < N; ++n) dot[n] = broadcastInt(0);
      dotNibbles(tiles + 64, x, k, dot);
      const F32x16 scale = loadHalf(halves(tiles)), minimum = loadHalf(halves(tiles + 32));
      for (int n = 0; n < N; ++n) {
        sum[n] = mulAdd(toFloat(dot[n]), mul(scale, broadcast(x[n][k].scale)), sum[n]);
        sum[n] = mulAdd(minimum, broadcast(x[n][k].scaledSum), sum[n]);
      }
    }
  }
};

struct Q80 {
  static constexpr int64_t tileBytes = 16 * 34;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* xs, int64_t xRowBytes, F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = activations(xs, xRowBytes, n);
    for (int64_t k = 0; k < blocks; ++k, tiles += tileBytes) {
      I32x16 dot[N];
      for (int n = 0; n < N; ++n) dot[n] = signedStart(x[n][k].sum);
      for (int g = 0; g < 8; ++g) {
        const SignedBytes64 w = asSigned(load64(tiles + 32 + 64 * g));
        for (int n = 0; n < N; ++n) dot[n] = dotSigned(dot[n], w, x[n][k].quants + 4 * g);
      }
      const F32x16 scale = loadHalf(halves(tiles));
      for (int n = 0; n < N; ++n) sum[n] = mulAdd(toFloat(dot[n]), mul(scale, broadcast(x[n][k].scale)), sum[n]);
    }
  }
};

// Scales and minima of the eight sub-blocks, from 12 packed bytes of 16 rows each (core/formats.cpp has the packing).
struct Q4KScales {
  const uint8_t* packed;

  template <int Sub>
  I32x16 scale() const {
    if constexpr (Sub < 4) {
      return bitAnd(loadBytes(packed + 16 * Sub), 63);
    } else {
      return bitOr(bitAnd(loadBytes(packed + 16 * (Sub + 4)), 15), shiftLeft<4>(shiftRight<6>(loadBytes(packed + 16 * (Sub - 4)))));
    }
  }

  template <int Sub>
  I32x16 minimum() const {
    if constexpr (Sub < 4) {
      return bitAnd(loadBytes(packed + 16 * (Sub + 4)), 63);
    } else {
      return bitOr(shiftRight<4>(loadBytes(packed + 16 * (Sub + 4))), shiftLeft<4>(shiftRight<6>(loadBytes(packed + 16 * Sub))));
    }
  }
};

struct Q4K {
  static constexpr int64_t tileBytes = 16 * 144;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* xs, int64_t xRowBytes, F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = activations(xs, xRowBytes, n);
    for (int64_t k = 0; k < blocks; ++k, tiles += tileBytes) {
      pair<0>(tiles, x, 8 * k, sum);
      pair<2>(tiles, x, 8 * k, sum);
      pair<4>(tiles, x, 8 * k, sum);
      pair<6>(tiles, x, 8 * k, sum);
    }
  }

 private:
  // Two sub-blocks of 32 share their bytes: the low nibbles are the first's, the high ones the second's.
  template <int Sub, int N>
  static void pair(const uint8_t* tile, const Act8Block* const (&x)[N], int64_t block, F32x16 (&sum)[N]) {
    I32x16 first[N], second[N];
    for (int n = 0; n < N; ++n) first[n] = second[n] = broadcastInt(0);
    for (int g = 0; g < 8; ++g) {
      const Bytes64 packed = load64(tile + 256 + (Sub / 2 * 8 + g) * 64);
      const Bytes64 low = lowNibbles(packed), high = highNibbles(packed);
      for (int n = 0; n < N; ++n) first[n] = dotUnsigned(first[n], low, x[n][block + Sub].quants + 4 * g);
      for (int n = 0; n < N; ++n) second[n] = dotUnsigned(second[n], high, x[n][block + Sub + 1].quants + 4 * g);
    }
    finish<Sub>(tile, x, block + Sub, first, sum);
    finish<Sub + 1>(tile, x, block + Sub + 1, second, sum);
  }

  template <int Sub, int N>
  static void finish(const uint8_t* tile, const Act8Block* const (&x)[N], int64_t block, const I32x16 (&dot)[N], F32x16 (&sum)[N]) {
    const Q4KScales scales{tile + 64};
    const F32x16 scale = mul(loadHalf(halves(tile)), toFloat(scales.scale<Sub>()));
    const F32x16 minimum = mul(loadHalf(halves(tile + 32)), toFloat(scales.minimum<Sub>()));
    for (int n = 0; n < N; ++n) {
      sum[n] = mulAdd(toFloat(dot[n]), mul(scale, broadcast(x[n][block].scale)), sum[n]);
      sum[n] = negMulAdd(minimum, broadcast(x[n][block].scaledSum), sum[n]);
    }
  }
};

struct Q6K {
  static constexpr int64_t tileBytes = 16 * 210;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t, const uint8_t* xs, int64_t xRowBytes, F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = activations(xs, xRowBytes, n);
    for (int64_t k = 0; k < blocks; ++k, tiles += tileBytes) {
      const F32x16 d = loadHalf(halves(tiles + 16 * 208));
      for (int half = 0; half < 2; ++half) {
        quarter<0>(tiles, half, d, x, 8 * k, sum);
        quarter<1>(tiles, half, d, x, 8 * k, sum);
        quarter<2>(tiles, half, d, x, 8 * k, sum);
        quarter<3>(tiles, half, d, x, 8 * k, sum);
      }
    }
  }

 private:
  // 32 weights: two sub-blocks of 16, each with a scale. A weight is six bits - 32.
  template <int Quarter, int N>
  static void quarter(const uint8_t* tile, int half, F32x16 d, const Act8Block* const (&x)[N], int64_t first, F32x16 (&sum)[N]) {
    const int64_t block = first + 4 * half + Quarter;
    const uint8_t* low = tile + (16 * half + 8 * (Quarter % 2)) * 64;
    const uint8_t* high = tile + 16 * 128 + 8 * half * 64;
    I32x16 front[N], back[N];
    for (int n = 0; n < N; ++n) {
      front[n] = broadcastInt(-32 * x[n][block].firstSum);
      back[n] = broadcastInt(-32 * (x[n][block].sum - x[n][block].firstSum));
    }
    for (int g = 0; g < 4; ++g) {
      const Bytes64 w = sixBits<Quarter>(low + 64 * g, high + 64 * g);
      for (int n = 0; n < N; ++n) front[n] = dotUnsigned(front[n], w, x[n][block].quants + 4 * g);
    }
    for (int g = 4; g < 8; ++g) {
      const Bytes64 w = sixBits<Quarter>(low + 64 * g, high + 64 * g);
      for (int n = 0; n < N; ++n) back[n] = dotUnsigned(back[n], w, x[n][block].quants + 4 * g);
    }
    const uint8_t* scales = tile + 16 * 192 + 16 * (8 * half + 2 * Quarter);
    const F32x16 frontScale = toFloat(loadSignedBytes(scales)), backScale = toFloat(loadSignedBytes(scales + 16));
    for (int n = 0; n < N; ++n) {
      // Below 2^24 in size, so this sum is exact.
      const F32x16 dot = mulAdd(toFloat(back[n]), backScale, mul(toFloat(front[n]), frontScale));
      sum[n] = mulAdd(dot, mul(d, broadcast(x[n][block].scale)), sum[n]);
    }
  }

  template <int Quarter>
  static Bytes64 sixBits(const uint8_t* low, const uint8_t* high) {
    const Bytes64 packed = load64(low);
    return bitOr(Quarter < 2 ? lowNibbles(packed) : highNibbles(packed), twoBitsTimes16<Quarter>(load64(high)));
  }
};

}  // namespace

void matmulQ40(const MatMulPiece& piece) { matmulGroups<Q40>(piece); }
void matmulQ41(const MatMulPiece& piece) { matmulGroups<Q41>(piece); }
void matmulQ80(const MatMulPiece& piece) { matmulGroups<Q80>(piece); }
void matmulQ4K(const MatMulPiece& piece) { matmulGroups<Q4K>(piece); }
void matmulQ6K(const MatMulPiece& piece) { matmulGroups<Q6K>(piece); }

}  // namespace td::TD_ISA
