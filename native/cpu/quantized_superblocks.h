// The formats whose blocks are 256 weights in sub-blocks with scales of their own: Q4_K, Q6_K. As quantized_blocks.h.
//
// To take such a block apart costs as much as to multiply it with a few tokens. So where there are many, each row group
// is unpacked once (`Unpacked`): 32 columns are a tile then, of whole bytes and whole scales.
#pragma once

#include "cpu/quantized_blocks.h"

namespace td::TD_ISA {
namespace {

inline const float* floats(const uint8_t* p) {
  return reinterpret_cast<const float*>(p);
}
inline void storeFloats(uint8_t* p, F32x16 a) {
  store(reinterpret_cast<float*>(p), a);
}

// A sub-block of Q4_K.
struct UnpackedQ4K : OneBlock<UnpackedQ4K> {
  static constexpr int kMinima = 64, kQuants = 128;
  static constexpr int64_t tileBytes = kQuants + 16 * 32;

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, 0, zeroStart);
    p.addColumns(dots, 0, 0, 8, [&](int g, int i) { return load64(p.of(g) + kQuants + 64 * i); });
    p.addScaled(dots, 0, [&](int g) { return load(floats(p.of(g))); });
    p.subtractMinima(0, [&](int g) { return load(floats(p.of(g) + kMinima)); });
  }
};

struct Q4K {
  using Unpacked = UnpackedQ4K;
  static constexpr int64_t tileBytes = 16 * 144;
  static constexpr int64_t actBlocks = 8;
  static constexpr int dotsPerBlock = 1;
  static constexpr int raised = 0;

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    const Factors<P::groups> factors(p);
    addBlock<0>(p, factors, 0);
    addBlock<1>(p, factors, 1);
    addBlock<2>(p, factors, 2);
    addBlock<3>(p, factors, 3);
    addBlock<4>(p, factors, 4);
    addBlock<5>(p, factors, 5);
    addBlock<6>(p, factors, 6);
    addBlock<7>(p, factors, 7);
  }

  template <class P>
  [[gnu::always_inline]] static void block(const P& p, int sub) {
    const Factors<P::groups> factors(p);
    switch (sub) {
      case 0:
        return addBlock<0>(p, factors, 0);
      case 1:
        return addBlock<1>(p, factors, 0);
      case 2:
        return addBlock<2>(p, factors, 0);
      case 3:
        return addBlock<3>(p, factors, 0);
      case 4:
        return addBlock<4>(p, factors, 0);
      case 5:
        return addBlock<5>(p, factors, 0);
      case 6:
        return addBlock<6>(p, factors, 0);
      default:
        return addBlock<7>(p, factors, 0);
    }
  }

  // A tile into eight of the others.
  static void unpack(const uint8_t* tile, uint8_t* to) {
    const Act8Block* const none[1] = {};
    F32x16 nothing[1][1];
    const TileTimesTokens<1, 1> p{tile, 0, none, nothing};
    const Factors<1> factors(p);
    unpackBlock<0>(p, factors, to);
    unpackBlock<1>(p, factors, to);
    unpackBlock<2>(p, factors, to);
    unpackBlock<3>(p, factors, to);
    unpackBlock<4>(p, factors, to);
    unpackBlock<5>(p, factors, to);
    unpackBlock<6>(p, factors, to);
    unpackBlock<7>(p, factors, to);
  }

 private:
  // Scales and minima of the eight sub-blocks by 16 rows, a byte each, unpacked from six bits (core/formats.cpp has the
  // packing) for a whole tile at once: a register is four sub-blocks.
  template <int G>
  struct Factors {
    Bytes64 scales[G][2], minima[G][2];

    explicit Factors(const auto& p) {
      for (int g = 0; g < G; ++g) {
        const uint8_t* packed = p.of(g) + 64;
        const Bytes64 first = load64(packed), second = load64(packed + 64), third = load64(packed + 128);
        scales[g][0] = lowSixBits(first);
        scales[g][1] = bitOr(lowNibbles(third), twoBitsTimes16<3>(first));
        minima[g][0] = lowSixBits(second);
        minima[g][1] = bitOr(highNibbles(third), twoBitsTimes16<3>(second));
      }
    }
  };

  // Two sub-blocks share their bytes: the low nibbles are the first's, the high ones the second's.
  template <int Sub>
  [[gnu::always_inline]] static Bytes64 quants(const uint8_t* tile, int i) {
    const Bytes64 packed = load64(tile + 256 + (Sub / 2 * 8 + i) * 64);
    return Sub % 2 == 0 ? lowNibbles(packed) : highNibbles(packed);
  }
  template <int Sub>
  [[gnu::always_inline]] static F32x16 scale(const uint8_t* tile, const Bytes64 (&scales)[2]) {
    return mul(loadHalf(halves(tile)), toFloat(bytesOfQuarter<Sub % 4>(scales[Sub / 4])));
  }
  template <int Sub>
  [[gnu::always_inline]] static F32x16 minimum(const uint8_t* tile, const Bytes64 (&minima)[2]) {
    return mul(loadHalf(halves(tile + 32)), toFloat(bytesOfQuarter<Sub % 4>(minima[Sub / 4])));
  }

  // Sub-block `Sub` of the weights by block `at` of the activations.
  template <int Sub, class P>
  [[gnu::always_inline]] static void addBlock(const P& p, const Factors<P::groups>& factors, int at) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, at, zeroStart);
    p.addColumns(dots, at, 0, 8, [&](int g, int i) { return quants<Sub>(p.of(g), i); });
    p.addScaled(dots, at, [&](int g) { return scale<Sub>(p.of(g), factors.scales[g]); });
    p.subtractMinima(at, [&](int g) { return minimum<Sub>(p.of(g), factors.minima[g]); });
  }

  template <int Sub>
  [[gnu::always_inline]] static void unpackBlock(const auto& p, const Factors<1>& factors, uint8_t* to) {
    to += Sub * Unpacked::tileBytes;
    storeFloats(to, scale<Sub>(p.tile, factors.scales[0]));
    storeFloats(to + Unpacked::kMinima, minimum<Sub>(p.tile, factors.minima[0]));
    for (int i = 0; i < 8; ++i) store64(to + Unpacked::kQuants + 64 * i, quants<Sub>(p.tile, i));
  }
};

// What both ways to have Q6_K do with 32 weights, which are two sub-blocks of 16, each with a scale. A weight is its
// six bits - 32.
template <class P>
[[gnu::always_inline]] inline void addSixBits(const P& p, int at, auto quants, auto frontScale, auto backScale,
                                              auto factor) {
  I32x16 front[P::groups][P::tokens], back[P::groups][P::tokens];
  p.start(front, at, [](const Act8Block& x) { return shiftLeft<5>(broadcastInt(x.minusFirstSum)); });
  p.addColumns(front, at, 0, 4, quants);
  p.start(back, at, [](const Act8Block& x) {
    return shiftLeft<5>(sub(broadcastInt(x.minusSum), broadcastInt(x.minusFirstSum)));
  });
  p.addColumns(back, at, 4, 8, quants);
  for (int g = 0; g < P::groups; ++g) {
    const F32x16 d = factor(g), ofFront = frontScale(g), ofBack = backScale(g);
    for (int n = 0; n < P::tokens; ++n) {
      // Below 2^24 in size, so this sum is exact.
      const F32x16 dot = mulAdd(toFloat(back[g][n]), ofBack, mul(toFloat(front[g][n]), ofFront));
      p.sum[g][n] = mulAdd(dot, mul(d, broadcast(p.x[n][at].scale)), p.sum[g][n]);
    }
  }
}

// Two sub-blocks of Q6_K.
struct UnpackedQ6K : OneBlock<UnpackedQ6K> {
  static constexpr int kFront = 64, kBack = 128, kQuants = 192;
  static constexpr int64_t tileBytes = kQuants + 16 * 32;

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    addSixBits(
        p, 0, [&](int g, int i) { return load64(p.of(g) + kQuants + 64 * i); },
        [&](int g) { return load(floats(p.of(g) + kFront)); }, [&](int g) { return load(floats(p.of(g) + kBack)); },
        [&](int g) { return load(floats(p.of(g))); });
  }
};

struct Q6K {
  using Unpacked = UnpackedQ6K;
  static constexpr int64_t tileBytes = 16 * 210;
  static constexpr int64_t actBlocks = 8;
  static constexpr int dotsPerBlock = 2;  // each 16 columns have a scale
  static constexpr int raised = 32;

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    for (int half = 0; half < 2; ++half) {
      addBlock<0>(p, half, 4 * half);
      addBlock<1>(p, half, 4 * half + 1);
      addBlock<2>(p, half, 4 * half + 2);
      addBlock<3>(p, half, 4 * half + 3);
    }
  }

  template <class P>
  [[gnu::always_inline]] static void block(const P& p, int number) {
    const int half = number / 4;
    switch (number % 4) {
      case 0:
        return addBlock<0>(p, half, 0);
      case 1:
        return addBlock<1>(p, half, 0);
      case 2:
        return addBlock<2>(p, half, 0);
      default:
        return addBlock<3>(p, half, 0);
    }
  }

  // A tile into eight of the others.
  static void unpack(const uint8_t* tile, uint8_t* to) {
    for (int half = 0; half < 2; ++half) {
      unpackBlock<0>(tile, half, to);
      unpackBlock<1>(tile, half, to);
      unpackBlock<2>(tile, half, to);
      unpackBlock<3>(tile, half, to);
    }
  }

 private:
  // Four of a weight's bits in a nibble, two in a byte that the quarters of half a tile share.
  template <int Quarter>
  [[gnu::always_inline]] static Bytes64 quants(const uint8_t* tile, int half, int i) {
    const Bytes64 low = load64(tile + (16 * half + 8 * (Quarter % 2) + i) * 64),
                  high = load64(tile + (16 * 2 + 8 * half + i) * 64);
    return bitOr(Quarter < 2 ? lowNibbles(low) : highNibbles(low), twoBitsTimes16<Quarter>(high));
  }
  [[gnu::always_inline]] static F32x16 scale(const uint8_t* tile, int sub) {
    return toFloat(loadSignedBytes(tile + 16 * 192 + 16 * sub));
  }
  [[gnu::always_inline]] static F32x16 factor(const uint8_t* tile) { return loadHalf(halves(tile + 16 * 208)); }

  // A quarter of half a tile by block `at` of the activations.
  template <int Quarter, class P>
  [[gnu::always_inline]] static void addBlock(const P& p, int half, int at) {
    const int sub = 2 * (4 * half + Quarter);
    addSixBits(
        p, at, [&](int g, int i) { return quants<Quarter>(p.of(g), half, i); },
        [&](int g) { return scale(p.of(g), sub); }, [&](int g) { return scale(p.of(g), sub + 1); },
        [&](int g) { return factor(p.of(g)); });
  }

  template <int Quarter>
  [[gnu::always_inline]] static void unpackBlock(const uint8_t* tile, int half, uint8_t* to) {
    const int block = 4 * half + Quarter;
    to += block * Unpacked::tileBytes;
    storeFloats(to, factor(tile));
    storeFloats(to + Unpacked::kFront, scale(tile, 2 * block));
    storeFloats(to + Unpacked::kBack, scale(tile, 2 * block + 1));
    for (int i = 0; i < 8; ++i) store64(to + Unpacked::kQuants + 64 * i, quants<Quarter>(tile, half, i));
  }
};

}  // namespace
}  // namespace td::TD_ISA
