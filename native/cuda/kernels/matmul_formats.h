// The weight formats as the matmul kernels of GPUs take them, and the order in which all of these kernels add.
//
// A matrix is made of tiles (core/tiles.h), so lane r of a half-warp is row r of a group of 16, and reads contiguously
// with its neighbours. A row is walked in *pieces*, the least that a format can be cut into without reading a byte
// twice: a block of 32 columns of Q8_0, Q4_0 and Q4_1; the two blocks of Q4_K that share their bytes; the four of Q6_K;
// a column of F32 and F16; a pair of BF16.
//
// Order of summation. The pieces of a row are cut into kParts contiguous segments. A segment is one chain of fused
// multiply-adds in the order of its columns, which goes on with the segment's share of the token's rests
// (core/activation.h). An output is segment 0 + segment 1 + ... + segment 7, in this order, and then the bias. Nothing
// in that knows how many tokens there are: one token gives its segments to as many half-warps, many tokens walk them
// one after another, and the bits are the same.
#pragma once

#include "core/activation.h"
#include "core/tiles.h"
#include "cuda/kernels/kernels.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kParts = 8;
constexpr int kActBytes = sizeof(Act8Block), kRestBytes = sizeof(Act8Rest);

using Bytes = Global<const unsigned char>;

// Where segment `part` begins, of `count` pieces or rests; and where the one before it ends.
__device__ __forceinline__ int segmentStart(int part, int count) {
  return static_cast<int>(static_cast<int64_t>(part) * count / kParts);
}

// A row of a tile. A field is named by its offset in a block of the format (core/formats.h).
struct TileRow {
  Bytes weights;
  ptrdiff_t tile, row;

  // Written so that all that a compiler does not know is the same for all units of a size.
  template <class Unit>
  __device__ __forceinline__ Unit unit(int offset, int i) const {
    constexpr int kBytes = sizeof(Unit);
    return loadAs<Unit>(weights, tile + row * kBytes + kTileRows * (offset + i * kBytes));
  }
  __device__ __forceinline__ float half(int offset) const { return __half2float(unit<__half>(offset, 0)); }
};

// Every format has
//
//   kTile      bytes of a tile
//   kPieces    in a tile
//   kColumns   of a piece
//   kAhead     pieces to have on their way at once, for one token or two
//
// ---- Quantised formats: exact integer dot products, one fused multiply-add for each term.
//
//   kRaised    what the stored weights are too large by
//   kFactors   1: scale; 2: scale and base; 3: scale, and a further one for each 16 columns
//   quad()     four of the stored weights as bytes: columns 4 * i and up of block b of a piece
//   factors()  of block b of a piece

constexpr int kLowNibbles = 0x0f0f0f0f;

struct Q80 {
  static constexpr int kTile = 34 * kTileRows, kColumns = 32, kPieces = 1, kAhead = 4, kRaised = 0, kFactors = 1;

  static __device__ __forceinline__ int quad(const TileRow& t, int, int, int i) { return t.unit<int>(2, i); }
  static __device__ __forceinline__ void factors(const TileRow& t, int, int, float (&factors)[1]) {
    factors[0] = t.half(0);
  }
};

struct Q40 {
  static constexpr int kTile = 18 * kTileRows, kColumns = 32, kPieces = 1, kAhead = 4, kRaised = 8, kFactors = 1;

  static __device__ __forceinline__ int quad(const TileRow& t, int, int, int i) {
    return t.unit<int>(2, i % 4) >> i / 4 * 4 & kLowNibbles;
  }
  static __device__ __forceinline__ void factors(const TileRow& t, int, int, float (&factors)[1]) {
    factors[0] = t.half(0);
  }
};

struct Q41 {
  static constexpr int kTile = 20 * kTileRows, kColumns = 32, kPieces = 1, kAhead = 4, kRaised = 0, kFactors = 2;

  static __device__ __forceinline__ int quad(const TileRow& t, int, int, int i) {
    return t.unit<int>(4, i % 4) >> i / 4 * 4 & kLowNibbles;
  }
  static __device__ __forceinline__ void factors(const TileRow& t, int, int, float (&factors)[2]) {
    factors[0] = t.half(0);
    factors[1] = t.half(2);
  }
};

struct Q4K {
  static constexpr int kTile = 144 * kTileRows, kColumns = 64, kPieces = 4, kAhead = 2, kRaised = 0, kFactors = 2;

  static __device__ __forceinline__ int quad(const TileRow& t, int piece, int b, int i) {
    return t.unit<int>(16, 8 * piece + i) >> 4 * b & kLowNibbles;
  }
  // Scales and minima have six bits each (core/formats.cpp): those of the first four blocks in bytes of their own.
  static __device__ __forceinline__ void factors(const TileRow& t, int piece, int b, float (&factors)[2]) {
    const int block = 2 * piece + b;
    const auto packed = [&](int i) { return static_cast<int>(t.unit<unsigned char>(4, i)); };
    int scale, minimum;
    if (block < 4) {
      scale = packed(block) & 63;
      minimum = packed(block + 4) & 63;
    } else {
      const int low = packed(block + 4);
      scale = (low & 15) | packed(block - 4) >> 6 << 4;
      minimum = low >> 4 | packed(block) >> 6 << 4;
    }
    factors[0] = t.half(0) * static_cast<float>(scale);
    factors[1] = -(t.half(2) * static_cast<float>(minimum));
  }
};

// Four bits of a weight lie in a nibble, two in a byte that the blocks of a piece share.
struct Q6K {
  static constexpr int kTile = 210 * kTileRows, kColumns = 128, kPieces = 2, kAhead = 1, kRaised = 32, kFactors = 3;

  static __device__ __forceinline__ int quad(const TileRow& t, int piece, int b, int i) {
    const int low = t.unit<int>(0, 16 * piece + b % 2 * 8 + i) >> b / 2 * 4 & kLowNibbles;
    const int high = t.unit<int>(128, 8 * piece + i) >> 2 * b & 0x03030303;
    return low | high << 4;
  }
  static __device__ __forceinline__ void factors(const TileRow& t, int piece, int b, float (&factors)[3]) {
    factors[0] = t.half(208);
    factors[1] = static_cast<float>(t.unit<signed char>(192, 8 * piece + 2 * b));
    factors[2] = static_cast<float>(t.unit<signed char>(192, 8 * piece + 2 * b + 1));
  }
};

// sum + the terms of a block, whose dot products are those of its first and of its last 16 columns.
template <int kFactors>
__device__ __forceinline__ float addTerms(float sum, int front, int back, const float (&factors)[kFactors],
                                          float xScale, float xScaledSum) {
  if constexpr (kFactors == 3) {
    // Below 2^24 in size, so this sum is exact.
    const float dot = fmaf(static_cast<float>(back), factors[2], static_cast<float>(front) * factors[1]);
    return fmaf(dot, factors[0] * xScale, sum);
  } else {
    sum = fmaf(static_cast<float>(front + back), factors[0] * xScale, sum);
    if constexpr (kFactors == 2) sum = fmaf(factors[1], xScaledSum, sum);
    return sum;
  }
}

// A row's 32 weights in a block, in registers.
template <class Format>
struct Block {
  int quads[8];
  float factors[Format::kFactors];

  __device__ __forceinline__ Block(const TileRow& t, int piece, int b) {
#pragma unroll
    for (int i = 0; i < 8; ++i) quads[i] = Format::quad(t, piece, b, i);
    Format::factors(t, piece, b, factors);
  }

  // Adds their product with a token's Act8Block, which lies at x[at].
  __device__ __forceinline__ float addTo(float sum, Bytes x, ptrdiff_t at) const {
    const int4 first = loadAs<int4>(x, at), last = loadAs<int4>(x, at + 16), rest = loadAs<int4>(x, at + 32);
    const int minusSum = rest.z, minusFirstSum = rest.w;
    // Where one dot product is all, its start takes the whole correction.
    constexpr bool kTwo = Format::kFactors == 3;
    int front = Format::kRaised * (kTwo ? minusFirstSum : minusSum);
    front = __dp4a(quads[0], first.x, front);
    front = __dp4a(quads[1], first.y, front);
    front = __dp4a(quads[2], first.z, front);
    front = __dp4a(quads[3], first.w, front);
    int back = kTwo ? Format::kRaised * (minusSum - minusFirstSum) : 0;
    back = __dp4a(quads[4], last.x, back);
    back = __dp4a(quads[5], last.y, back);
    back = __dp4a(quads[6], last.z, back);
    back = __dp4a(quads[7], last.w, back);
    return addTerms(sum, front, back, factors, __int_as_float(rest.x), __int_as_float(rest.y));
  }
};

// Adds the product of a row, the group of which begins at weights[group], with the Act8Rest at x[at].
template <class Format>
__device__ __forceinline__ float addRest(float sum, Bytes weights, ptrdiff_t group, int row, Bytes x, ptrdiff_t at) {
  constexpr int kTogether = Format::kColumns / kActBlock;
  const int block = loadAs<int>(x, at + kActBytes), piece = block / kTogether;
  const TileRow t{weights, group + static_cast<ptrdiff_t>(piece / Format::kPieces) * Format::kTile, row};
  return Block<Format>(t, piece % Format::kPieces, block % kTogether).addTo(sum, x, at);
}

// ---- Formats of floats: a fused multiply-add for each column.
//
//   weights()  of a row of a tile
//   tokens()   of a token, a piece of which has kXBytes, at x[at]

__device__ __forceinline__ void float32(Bytes x, ptrdiff_t at, float (&values)[1]) {
  values[0] = loadAs<float>(x, at);
}

struct F32 {
  static constexpr int kTile = 4 * kTileRows, kColumns = 1, kPieces = 1, kAhead = 16, kXBytes = 4;

  static __device__ __forceinline__ void weights(const TileRow& t, float (&values)[1]) {
    values[0] = t.unit<float>(0, 0);
  }
  static __device__ __forceinline__ void tokens(Bytes x, ptrdiff_t at, float (&values)[1]) { float32(x, at, values); }
};

struct F16 {
  static constexpr int kTile = 2 * kTileRows, kColumns = 1, kPieces = 1, kAhead = 16, kXBytes = 4;

  static __device__ __forceinline__ void weights(const TileRow& t, float (&values)[1]) { values[0] = t.half(0); }
  static __device__ __forceinline__ void tokens(Bytes x, ptrdiff_t at, float (&values)[1]) { float32(x, at, values); }
};

// The one that lies first is the lower half.
__device__ __forceinline__ void fromPair(unsigned pair, float (&values)[2]) {
  values[0] = __uint_as_float(pair << 16);
  values[1] = __uint_as_float(pair & 0xffff0000u);
}

// An odd number of columns is padded with a zero, in the weights and in the tokens.
struct Bf16 {
  static constexpr int kTile = 4 * kTileRows, kColumns = 2, kPieces = 1, kAhead = 16, kXBytes = 4;

  static __device__ __forceinline__ void weights(const TileRow& t, float (&values)[2]) {
    fromPair(t.unit<unsigned>(0, 0), values);
  }
  static __device__ __forceinline__ void tokens(Bytes x, ptrdiff_t at, float (&values)[2]) {
    fromPair(loadAs<unsigned>(x, at), values);
  }
};

// ---- Any format.

template <class Format>
constexpr bool kQuantised = requires { Format::kFactors; };

// Of a row.
template <class Format>
int piecesOf(int64_t columns) {
  return static_cast<int>((columns + Format::kColumns - 1) / Format::kColumns);
}

// From one group of 16 rows to the next.
template <class Format>
int64_t groupBytes(int64_t columns) {
  return int64_t{piecesOf<Format>(columns)} / Format::kPieces * Format::kTile;
}

// Kernel::run<Format>(stream, call) for the weights' format.
template <class Kernel>
DeviceError byFormat(void* stream, const MatMulCall& call) {
  switch (call.type) {
    case TD_F32:
      return Kernel::template run<F32>(stream, call);
    case TD_F16:
      return Kernel::template run<F16>(stream, call);
    case TD_BF16:
      return Kernel::template run<Bf16>(stream, call);
    case TD_Q8_0:
      return Kernel::template run<Q80>(stream, call);
    case TD_Q4_0:
      return Kernel::template run<Q40>(stream, call);
    case TD_Q4_1:
      return Kernel::template run<Q41>(stream, call);
    case TD_Q4_K:
      return Kernel::template run<Q4K>(stream, call);
    case TD_Q6_K:
      return Kernel::template run<Q6K>(stream, call);
    default:
      return {DeviceFault::invalidArgument, "matMul: weights of this type are not supported on GPUs"};
  }
}

}  // namespace

}  // namespace td::TD_VIEWS
