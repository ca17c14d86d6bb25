// The formats whose blocks are 32 weights with one scale: Q4_0, Q4_1, Q8_0. What a tile of them and encoded tokens
// make: written once for all ways to get at the dot products (P: TileTimesTokens, or those of matmul_amx.h).
#pragma once

#include "cpu/matmul_quantized.h"

namespace td::TD_ISA {
namespace {

inline I32x16 zeroStart(const Act8Block&) {
  return broadcastInt(0);
}

// Dot products with a tile's 4-bit weights: four registers of 64 bytes, the low nibbles first.
template <class P>
[[gnu::always_inline]] inline void addNibbles(const P& p, int offset, I32x16 (&dots)[P::groups][P::tokens]) {
  p.addColumns(dots, 0, 0, 4, [&](int g, int i) { return lowNibbles(load64(p.of(g) + offset + 64 * i)); });
  p.addColumns(dots, 0, 4, 8, [&](int g, int i) { return highNibbles(load64(p.of(g) + offset + 64 * (i - 4))); });
}

// A tile is one block.
template <class Format>
struct OneBlock {
  static constexpr int64_t actBlocks = 1;
  static constexpr int dotsPerBlock = 1;

  template <class P>
  [[gnu::always_inline]] static void block(const P& p, int) {
    Format::tile(p);
  }
};

struct Q40 : OneBlock<Q40> {
  static constexpr int64_t tileBytes = 16 * 18;
  static constexpr int raised = 8;  // a weight is its nibble - 8

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, 0, [](const Act8Block& x) { return shiftLeft<3>(broadcastInt(x.minusSum)); });
    addNibbles(p, 32, dots);
    p.addScaled(dots, 0, [&](int g) { return loadHalf(halves(p.of(g))); });
  }
};

struct Q41 : OneBlock<Q41> {
  static constexpr int64_t tileBytes = 16 * 20;
  static constexpr int raised = 0;

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, 0, zeroStart);
    addNibbles(p, 64, dots);
    p.addScaled(dots, 0, [&](int g) { return loadHalf(halves(p.of(g))); });
    for (int g = 0; g < P::groups; ++g) {
      const F32x16 minimum = loadHalf(halves(p.of(g) + 32));
      for (int n = 0; n < P::tokens; ++n) p.sum[g][n] = mulAdd(minimum, broadcast(p.x[n]->scaledSum), p.sum[g][n]);
    }
  }
};

struct Q80 : OneBlock<Q80> {
  static constexpr int64_t tileBytes = 16 * 34;
  static constexpr int quantsAt = 32;  // in a tile: int8, four columns of all rows after another

  template <class P>
  [[gnu::always_inline]] static void tile(const P& p) {
    I32x16 dots[P::groups][P::tokens];
    p.start(dots, 0, [](const Act8Block& x) { return signedStart(broadcastInt(x.minusSum)); });
    p.addColumns(dots, 0, 0, 8, [&](int g, int i) { return asSigned(load64(p.of(g) + quantsAt + 64 * i)); });
    p.addScaled(dots, 0, [&](int g) { return loadHalf(halves(p.of(g))); });
  }
};

}  // namespace
}  // namespace td::TD_ISA
