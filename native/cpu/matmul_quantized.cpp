// Quantised weights times int8 activations: y[r] = sum over blocks of (integer dot product) * (weight scale *
// activation scale), plus the format's minimum times the sum of the activations. The dot products are exact, so that
// the tricks of an instruction set do not show; each block ends in one fused multiply-add per term, in the order of the
// blocks, and then of the rests (core/activation.h).
//
// A format brings its unit (weights of 32 or 256 columns, one tile), and how N tokens' activations are multiplied with
// a tile, or one token's with one block of 32 of it.
#include "cpu/matmul_skeleton.h"

namespace td::TD_ISA {
namespace {

inline const uint16_t* halves(const uint8_t* p) {
  return reinterpret_cast<const uint16_t*>(p);
}

// The dot products of a block of 32 4-bit weights in four registers of 64 bytes, low nibbles first, with N tokens.
template <int N>
inline void dotNibbles(const uint8_t* quants, const Act8Block* const (&x)[N], I32x16 (&dot)[N]) {
  for (int g = 0; g < 4; ++g) {
    const Bytes64 packed = load64(quants + 64 * g);
    const Bytes64 low = lowNibbles(packed), high = highNibbles(packed);
    for (int n = 0; n < N; ++n) dot[n] = dotUnsigned(dot[n], low, x[n]->quants + 4 * g);
    for (int n = 0; n < N; ++n) dot[n] = dotUnsigned(dot[n], high, x[n]->quants + 16 + 4 * g);
  }
}

// sum += dot * (scale * the activations' scale)
template <int N>
inline void addScaled(const I32x16 (&dot)[N], F32x16 scale, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
  for (int n = 0; n < N; ++n) sum[n] = mulAdd(toFloat(dot[n]), mul(scale, broadcast(x[n]->scale)), sum[n]);
}

struct Q40 {
  static constexpr int64_t tileBytes = 16 * 18;
  static constexpr int64_t actBlocks = 1;

  template <int N>
  static void tile(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    I32x16 dot[N];
    for (int n = 0; n < N; ++n) dot[n] = broadcastInt(-8 * x[n]->sum);  // a weight is its nibble - 8
    dotNibbles(tile + 32, x, dot);
    addScaled(dot, loadHalf(halves(tile)), x, sum);
  }
};

struct Q41 {
  static constexpr int64_t tileBytes = 16 * 20;
  static constexpr int64_t actBlocks = 1;

  template <int N>
  static void tile(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    I32x16 dot[N];
    for (int n = 0; n < N; ++n) dot[n] = broadcastInt(0);
    dotNibbles(tile + 64, x, dot);
    addScaled(dot, loadHalf(halves(tile)), x, sum);
    const F32x16 minimum = loadHalf(halves(tile + 32));
    for (int n = 0; n < N; ++n) sum[n] = mulAdd(minimum, broadcast(x[n]->scaledSum), sum[n]);
  }
};

struct Q80 {
  static constexpr int64_t tileBytes = 16 * 34;
  static constexpr int64_t actBlocks = 1;

  template <int N>
  static void tile(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    I32x16 dot[N];
    for (int n = 0; n < N; ++n) dot[n] = signedStart(x[n]->sum);
    for (int g = 0; g < 8; ++g) {
      const SignedBytes64 w = asSigned(load64(tile + 32 + 64 * g));
      for (int n = 0; n < N; ++n) dot[n] = dotSigned(dot[n], w, x[n]->quants + 4 * g);
    }
    addScaled(dot, loadHalf(halves(tile)), x, sum);
  }
};

// Scales and minima of the eight sub-blocks of 32, from 12 packed bytes of 16 rows each (core/formats.cpp has the
// packing).
struct Q4K {
  static constexpr int64_t tileBytes = 16 * 144;
  static constexpr int64_t actBlocks = 8;

  template <int N>
  static void tile(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    pair<0>(tile, x, sum);
    pair<2>(tile, x, sum);
    pair<4>(tile, x, sum);
    pair<6>(tile, x, sum);
  }

  template <int Sub>
  static void block(const uint8_t* tile, const Act8Block* const (&x)[1], F32x16 (&sum)[1]) {
    I32x16 dot[1] = {broadcastInt(0)};
    for (int g = 0; g < 8; ++g) {
      const Bytes64 packed = load64(tile + 256 + (Sub / 2 * 8 + g) * 64);
      dot[0] = dotUnsigned(dot[0], Sub % 2 == 0 ? lowNibbles(packed) : highNibbles(packed), x[0]->quants + 4 * g);
    }
    finish<Sub>(tile, x, dot, sum);
  }

 private:
  // Two sub-blocks share their bytes: the low nibbles are the first's, the high ones the second's.
  template <int Sub, int N>
  static void pair(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    const Act8Block *xFirst[N], *xSecond[N];
    I32x16 first[N], second[N];
    for (int n = 0; n < N; ++n) {
      xFirst[n] = x[n] + Sub;
      xSecond[n] = x[n] + Sub + 1;
      first[n] = second[n] = broadcastInt(0);
    }
    for (int g = 0; g < 8; ++g) {
      const Bytes64 packed = load64(tile + 256 + (Sub / 2 * 8 + g) * 64);
      const Bytes64 low = lowNibbles(packed), high = highNibbles(packed);
      for (int n = 0; n < N; ++n) first[n] = dotUnsigned(first[n], low, xFirst[n]->quants + 4 * g);
      for (int n = 0; n < N; ++n) second[n] = dotUnsigned(second[n], high, xSecond[n]->quants + 4 * g);
    }
    finish<Sub>(tile, xFirst, first, sum);
    finish<Sub + 1>(tile, xSecond, second, sum);
  }

  template <int Sub, int N>
  static void finish(const uint8_t* tile, const Act8Block* const (&x)[N], const I32x16 (&dot)[N], F32x16 (&sum)[N]) {
    addScaled(dot, mul(loadHalf(halves(tile)), toFloat(scale<Sub>(tile + 64))), x, sum);
    const F32x16 least = mul(loadHalf(halves(tile + 32)), toFloat(minimum<Sub>(tile + 64)));
    for (int n = 0; n < N; ++n) sum[n] = negMulAdd(least, broadcast(x[n]->scaledSum), sum[n]);
  }

  template <int Sub>
  static I32x16 scale(const uint8_t* packed) {
    if constexpr (Sub < 4) {
      return bitAnd(loadBytes(packed + 16 * Sub), 63);
    } else {
      return bitOr(bitAnd(loadBytes(packed + 16 * (Sub + 4)), 15),
                   shiftLeft<4>(shiftRight<6>(loadBytes(packed + 16 * (Sub - 4)))));
    }
  }

  template <int Sub>
  static I32x16 minimum(const uint8_t* packed) {
    if constexpr (Sub < 4) {
      return bitAnd(loadBytes(packed + 16 * (Sub + 4)), 63);
    } else {
      return bitOr(shiftRight<4>(loadBytes(packed + 16 * (Sub + 4))),
                   shiftLeft<4>(shiftRight<6>(loadBytes(packed + 16 * Sub))));
    }
  }
};

struct Q6K {
  static constexpr int64_t tileBytes = 16 * 210;
  static constexpr int64_t actBlocks = 8;

  template <int N>
  static void tile(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    eighth<0>(tile, x, sum);
    eighth<1>(tile, x, sum);
    eighth<2>(tile, x, sum);
    eighth<3>(tile, x, sum);
    eighth<4>(tile, x, sum);
    eighth<5>(tile, x, sum);
    eighth<6>(tile, x, sum);
    eighth<7>(tile, x, sum);
  }

  // 32 weights: two sub-blocks of 16, each with a scale. A weight is six bits - 32.
  template <int Block, int N>
  static void block(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    constexpr int half = Block / 4, quarter = Block % 4;
    const uint8_t* low = tile + (16 * half + 8 * (quarter % 2)) * 64;
    const uint8_t* high = tile + 16 * 128 + 8 * half * 64;
    I32x16 front[N], back[N];
    for (int n = 0; n < N; ++n) {
      front[n] = broadcastInt(-32 * x[n]->firstSum);
      back[n] = broadcastInt(-32 * (x[n]->sum - x[n]->firstSum));
    }
    for (int g = 0; g < 4; ++g) {
      const Bytes64 w = sixBits<quarter>(low + 64 * g, high + 64 * g);
      for (int n = 0; n < N; ++n) front[n] = dotUnsigned(front[n], w, x[n]->quants + 4 * g);
    }
    for (int g = 4; g < 8; ++g) {
      const Bytes64 w = sixBits<quarter>(low + 64 * g, high + 64 * g);
      for (int n = 0; n < N; ++n) back[n] = dotUnsigned(back[n], w, x[n]->quants + 4 * g);
    }
    const uint8_t* scales = tile + 16 * 192 + 16 * 2 * Block;
    const F32x16 frontScale = toFloat(loadSignedBytes(scales)), backScale = toFloat(loadSignedBytes(scales + 16));
    const F32x16 d = loadHalf(halves(tile + 16 * 208));
    for (int n = 0; n < N; ++n) {
      // Below 2^24 in size, so this sum is exact.
      const F32x16 dot = mulAdd(toFloat(back[n]), backScale, mul(toFloat(front[n]), frontScale));
      sum[n] = mulAdd(dot, mul(d, broadcast(x[n]->scale)), sum[n]);
    }
  }

 private:
  template <int Block, int N>
  static void eighth(const uint8_t* tile, const Act8Block* const (&x)[N], F32x16 (&sum)[N]) {
    const Act8Block* at[N];
    for (int n = 0; n < N; ++n) at[n] = x[n] + Block;
    block<Block>(tile, at, sum);
  }

  template <int Quarter>
  static Bytes64 sixBits(const uint8_t* low, const uint8_t* high) {
    const Bytes64 packed = load64(low);
    return bitOr(Quarter < 2 ? lowNibbles(packed) : highNibbles(packed), twoBitsTimes16<Quarter>(load64(high)));
  }
};

// One token's activations for one block of 32 columns of a tile.
template <class Weights>
inline void multiplyBlock(const uint8_t* tile, int64_t block, const Act8Block* const (&x)[1], F32x16 (&sum)[1]) {
  if constexpr (Weights::actBlocks == 1) {
    Weights::template tile<1>(tile, x, sum);
  } else {
    switch (block) {
      case 0:
        return Weights::template block<0>(tile, x, sum);
      case 1:
        return Weights::template block<1>(tile, x, sum);
      case 2:
        return Weights::template block<2>(tile, x, sum);
      case 3:
        return Weights::template block<3>(tile, x, sum);
      case 4:
        return Weights::template block<4>(tile, x, sum);
      case 5:
        return Weights::template block<5>(tile, x, sum);
      case 6:
        return Weights::template block<6>(tile, x, sum);
      default:
        return Weights::template block<7>(tile, x, sum);
    }
  }
}

// A format for the skeleton: all tiles of a row group in their order, then each token's rests.
template <class Weights>
struct Quantized {
  static constexpr int64_t tileBytes = Weights::tileBytes;

  template <int N>
  static void multiply(const uint8_t* tiles, int64_t blocks, int64_t columns, const uint8_t* xs, int64_t xRowBytes,
                       F32x16 (&sum)[N]) {
    const Act8Block* x[N];
    for (int n = 0; n < N; ++n) x[n] = reinterpret_cast<const Act8Block*>(xs + n * xRowBytes);
    for (int64_t k = 0; k < blocks; ++k) {
      Weights::template tile<N>(tiles + k * tileBytes, x, sum);
      for (int n = 0; n < N; ++n) x[n] += Weights::actBlocks;
    }
    const int64_t rests = Act8Row(columns).rests;
    for (int n = 0; n < N; ++n) {
      const auto* rest = reinterpret_cast<const Act8Rest*>(x[n]);  // behind the last block
      F32x16 one[1] = {sum[n]};
      for (int64_t j = 0; j < rests; ++j, ++rest) {
        const int64_t k = rest->index / Weights::actBlocks;
        const Act8Block* const block[1] = {&rest->block};
        multiplyBlock<Weights>(tiles + k * tileBytes, rest->index % Weights::actBlocks, block, one);
      }
      sum[n] = one[0];
    }
  }
};

}  // namespace

void matmulQ40(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q40>>(piece);
}
void matmulQ41(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q41>>(piece);
}
void matmulQ80(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q80>>(piece);
}
void matmulQ4K(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q4K>>(piece);
}
void matmulQ6K(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q6K>>(piece);
}

}  // namespace td::TD_ISA
