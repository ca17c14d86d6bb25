// The formats whose blocks are 256 weights in sub-blocks with scales of their own: Q4_K, Q6_K. As quantized_blocks.h.
#pragma once

#include "cpu/matmul_quantized.h"

namespace td::TD_ISA {
namespace {

struct Q4K {
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

  // Sub-block `Sub` of the weights by block `at` of the activations. Two sub-blocks share their bytes: the low nibbles
  // are the first's, the high ones the second's.
  template <int Sub, class P>
  [[gnu::always_inline]] static void addBlock(const P& p, const Factors<P::groups>& factors, int at) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, at, [](const Act8Block&) { return broadcastInt(0); });
    p.addColumns(dots, at, 0, 8, [&](int g, int i) {
      const Bytes64 packed = load64(p.of(g) + 256 + (Sub / 2 * 8 + i) * 64);
      return Sub % 2 == 0 ? lowNibbles(packed) : highNibbles(packed);
    });
    p.addScaled(dots, at, [&](int g) {
      return mul(loadHalf(halves(p.of(g))), toFloat(bytesOfQuarter<Sub % 4>(factors.scales[g][Sub / 4])));
    });
    for (int g = 0; g < P::groups; ++g) {
      const F32x16 least =
          mul(loadHalf(halves(p.of(g) + 32)), toFloat(bytesOfQuarter<Sub % 4>(factors.minima[g][Sub / 4])));
      for (int n = 0; n < P::tokens; ++n) p.sum[g][n] = negMulAdd(least, broadcast(p.x[n][at].scaledSum), p.sum[g][n]);
    }
  }
};

struct Q6K {
  static constexpr int64_t tileBytes = 16 * 210;
  static constexpr int64_t actBlocks = 8;
  static constexpr int dotsPerBlock = 2;  // each 16 columns have a scale
  static constexpr int raised = 32;       // a weight is its six bits - 32

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

 private:
  // 32 weights, a quarter of half a tile, by block `at` of the activations: two sub-blocks of 16, each with a scale. A
  // weight is six bits - 32: four of them in a nibble, two in a byte that the quarters share.
  template <int Quarter, class P>
  [[gnu::always_inline]] static void addBlock(const P& p, int half, int at) {
    const int lowBits = (16 * half + 8 * (Quarter % 2)) * 64, highBits = 16 * 128 + 8 * half * 64,
              scales = 16 * 192 + 16 * 2 * (4 * half + Quarter);
    const auto sixBits = [&](int g, int i) {
      const Bytes64 packed = load64(p.of(g) + lowBits + 64 * i);
      return bitOr(Quarter < 2 ? lowNibbles(packed) : highNibbles(packed),
                   twoBitsTimes16<Quarter>(load64(p.of(g) + highBits + 64 * i)));
    };
    I32x16 front[P::groups][P::tokens], back[P::groups][P::tokens];
    p.start(front, at, [](const Act8Block& x) { return shiftLeft<5>(broadcastInt(x.minusFirstSum)); });
    p.addColumns(front, at, 0, 4, sixBits);
    p.start(back, at, [](const Act8Block& x) {
      return shiftLeft<5>(sub(broadcastInt(x.minusSum), broadcastInt(x.minusFirstSum)));
    });
    p.addColumns(back, at, 4, 8, sixBits);
    for (int g = 0; g < P::groups; ++g) {
      const F32x16 d = loadHalf(halves(p.of(g) + 16 * 208));
      const F32x16 frontScale = toFloat(loadSignedBytes(p.of(g) + scales)),
                   backScale = toFloat(loadSignedBytes(p.of(g) + scales + 16));
      for (int n = 0; n < P::tokens; ++n) {
        // Below 2^24 in size, so this sum is exact.
        const F32x16 dot = mulAdd(toFloat(back[g][n]), backScale, mul(toFloat(front[g][n]), frontScale));
        p.sum[g][n] = mulAdd(dot, mul(d, broadcast(p.x[n][at].scale)), p.sum[g][n]);
      }
    }
  }
};

}  // namespace
}  // namespace td::TD_ISA
