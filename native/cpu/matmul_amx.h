// Quantised matmul of many tokens with AMX. Its tile registers (no relation of core/tiles.h) hold up to 16 rows of 64
// bytes, and one instruction adds to 16 tokens by 16 rows of weights the dot products of K = 32 columns:
//
//   sums [16 tokens][16 rows] int32  +=  tokens [16 tokens][K] int8  x  weights [K / 4][16 rows][4 columns] int8
//
// The weights' operand is what a tile of Q8_0 has in memory; other formats are unpacked into it, a panel of columns at
// a time, for all tokens. A row of the sums is what the other instruction sets have as a token's sixteen dot products:
// exact integers too. From there on the arithmetic is the formats' own (quantized_blocks.h, quantized_superblocks.h),
// in the same order, so that the results are the same bits.
//
// `Unit` is the instructions: tile_registers.h, or what tests emulate.
//
//   static void configure(const TileShapes&);                                 LDTILECFG; this thread has the registers
//   static void release();                                                    TILERELEASE
//   template <int T> static void zero();                                      TILEZERO
//   template <int T> static void load(const void* first, int64_t stride);     TILELOADD
//   template <int Sums, int A, int B> static void dot();                      TDPBSSD
//   template <int T> static void store(void* first, int64_t stride);          TILESTORED
#pragma once

#include "cpu/quantized_blocks.h"
#include "cpu/quantized_superblocks.h"
#include "cpu/tile_shapes.h"

namespace td::TD_ISA {

constexpr int kAmxTokens = 16;  // per tile register

// The dot products of one panel of a row group with up to 16 tokens, in the order in which the formats ask for them. A
// few are always under way: from the first load to what can be read back takes longer than to compute with the result.
template <class Unit, class Weights>
class DotProducts {
 public:
  static constexpr int kDots = Weights::dotsPerBlock, kColumns = kActBlock / kDots;
  static constexpr int kAhead = 2;  // blocks under way
  static constexpr int kSlots = kDots * (kAhead + 1);
  static constexpr int kSlotInts = kAmxTokens * TD_TILE_ROWS;

  // Shapes for 16 tokens, and for the last ones, if there are some.
  static TileShapes shapes(int lastTokens) {
    TileShapes shapes;
    shapes.set(kSums, kAmxTokens, 4 * TD_TILE_ROWS);
    shapes.set(kTokens, kAmxTokens, kColumns);
    if (lastTokens > 0) {
      shapes.set(kLastSums, lastTokens, 4 * TD_TILE_ROWS);
      shapes.set(kLastTokens, lastTokens, kColumns);
    }
    shapes.set(kWeights, kColumns / 4, 4 * TD_TILE_ROWS);
    return shapes;
  }

  // x: the first token's activations of the panel's first block; the others `rowBytes` apart. weights: the operands of
  // each block, `blockBytes` apart. slots: kSlots times kSlotInts.
  DotProducts(const uint8_t* x, int64_t rowBytes, int tokens, const uint8_t* weights, int64_t blockBytes,
              int64_t blocks, int32_t* slots)
      : x_(x),
        rowBytes_(rowBytes),
        full_(tokens == kAmxTokens),
        weights_(weights),
        blockBytes_(blockBytes),
        blocks_(blocks),
        slots_(slots) {
    for (int i = 0; i < kAhead; ++i) begin();
  }

  // The next ones: [16 tokens][16 rows], of which those beyond the tokens are without meaning. They stay until the next
  // block is asked for.
  [[gnu::always_inline]] const int32_t* next() {
    if (taken_ % kDots == 0) begin();
    const int32_t* result = slots_ + taken_ * kSlotInts;
    taken_ = taken_ + 1 == kSlots ? 0 : taken_ + 1;
    return result;
  }

 private:
  enum Register { kSums, kLastSums, kTokens, kLastTokens, kWeights };

  [[gnu::always_inline]] void begin() {
    if (blocks_ == 0) return;
    --blocks_;
    for (int part = 0; part < kDots; ++part) {
      int32_t* sums = slots_ + (begun_ + part) * kSlotInts;
      Unit::template load<kWeights>(weights_ + part * (TD_TILE_ROWS * kColumns), 4 * TD_TILE_ROWS);
      if (full_) {
        multiply<kSums, kTokens>(part, sums);
      } else {
        multiply<kLastSums, kLastTokens>(part, sums);
      }
    }
    x_ += sizeof(Act8Block);
    weights_ += blockBytes_;
    begun_ = begun_ + kDots == kSlots ? 0 : begun_ + kDots;
  }

  template <int Sums, int Tokens>
  [[gnu::always_inline]] void multiply(int part, int32_t* sums) const {
    Unit::template load<Tokens>(x_ + part * kColumns, rowBytes_);
    Unit::template zero<Sums>();
    Unit::template dot<Sums, Tokens, kWeights>();
    Unit::template store<Sums>(sums, 4 * TD_TILE_ROWS);
  }

  const uint8_t* x_;
  int64_t rowBytes_;
  bool full_;
  const uint8_t* weights_;
  int64_t blockBytes_, blocks_;
  int32_t* slots_;
  int begun_ = 0, taken_ = 0;  // slots
};

// Tokens from some block on. The rows' beginnings stay as they are: there are too many to go on with each.
struct RowsFrom {
  const Act8Block* const (&row)[kAmxTokens];
  int64_t block;

  [[gnu::always_inline]] const Act8Block* operator[](int n) const { return row[n] + block; }
};

// Sums as a part of what the formats see. Beside the instructions of a unit, which may touch any memory, GCC would not
// keep what is only referred to in registers.
struct OwnSums {
  mutable F32x16 ofToken[kAmxTokens];

  [[gnu::always_inline]] F32x16 (&operator[](int) const)[kAmxTokens] { return ofToken; }
};

// A tile of weights times 16 tokens, as the formats see it.
template <class Dots>
struct TileTimesDots : TileTimesTokens<1, kAmxTokens, RowsFrom, OwnSums> {
  Dots& dots;

  // The operands hold the weights as they are, without what a format raised them by.
  template <class First>
  [[gnu::always_inline]] void start(I32x16 (&)[1][kAmxTokens], int, First) const {}

  template <class Weights>
  [[gnu::always_inline]] void addColumns(I32x16 (&sums)[1][kAmxTokens], int, int from, int, Weights) const {
    if (4 * from % Dots::kColumns != 0) return;  // they are in the sums already
    const int32_t* ready = dots.next();
    for (int n = 0; n < kAmxTokens; ++n) sums[0][n] = load(ready + n * TD_TILE_ROWS);
  }
};

// The same, but it only takes the weights that the format multiplies with, and writes them down as AMX's operand. What
// the format computes besides is with nothing, and the compiler leaves it out.
struct Unpacked : TileTimesTokens<1, 1> {
  int raised;
  uint8_t* operand;

  template <class Weights>
  [[gnu::always_inline]] void addColumns(I32x16 (&)[1][1], int at, int from, int to, Weights weights) const {
    for (int i = from; i < to; ++i) {
      store64(operand + (at * 8 + i) * 64, minus(weights(0, i), static_cast<uint8_t>(raised)));
    }
  }
};

template <class Unit, class Weights>
class AmxMatMul {
 public:
  static void multiply(const MatMulPiece& piece) { AmxMatMul(piece).allGroups(); }

 private:
  using Dots = DotProducts<Unit, Weights>;

  static constexpr bool kReady = requires { Weights::quantsAt; };  // a tile is the operand
  // A panel, 16 KiB of operands, and the activations of 16 tokens for it, 24 KiB, fit the first cache.
  static constexpr int64_t kBlockOperand = kActBlock * TD_TILE_ROWS, kPanelBlocks = 32,
                           kPanelTiles = kPanelBlocks / Weights::actBlocks;

  explicit AmxMatMul(const MatMulPiece& piece)
      : piece_(piece),
        groupBytes_(piece.blocks * Weights::tileBytes),
        parts_((piece.tokens + kAmxTokens - 1) / kAmxTokens) {
    Unit::configure(Dots::shapes(static_cast<int>(piece.tokens % kAmxTokens)));
  }
  ~AmxMatMul() { Unit::release(); }
  AmxMatMul(const AmxMatMul&) = delete;
  AmxMatMul& operator=(const AmxMatMul&) = delete;

  void allGroups() {
    for (int64_t group = 0; group < piece_.groups; ++group) {
      // The next group is fetched meanwhile, evenly.
      const uint8_t* tiles = piece_.tiles + group * groupBytes_;
      Fetch<1> fetch({tiles, groupBytes_, piece_.blocks * parts_, piece_.columns, tiles + groupBytes_,
                      group + 1 < piece_.groups ? groupBytes_ : 0});
      for (int64_t tile = 0; tile < piece_.blocks; tile += kPanelTiles) {
        const int64_t left = piece_.blocks - tile;
        onePanel(fetch, group, tile, left < kPanelTiles ? left : kPanelTiles);
      }
    }
  }

  // Between panels, the output holds the sums.
  void onePanel(Fetch<1>& fetch, int64_t group, int64_t firstTile, int64_t tiles) {
    const uint8_t* const first = piece_.tiles + group * groupBytes_ + firstTile * Weights::tileBytes;
    const uint8_t* const operands = operandsOf(first, tiles);
    const bool begins = firstTile == 0, ends = firstTile + tiles == piece_.blocks;
    constexpr int64_t kRows = TD_TILE_ROWS;
    const int64_t row = group * kRows, rowsLeft = piece_.rows - row;
    const int rows = static_cast<int>(rowsLeft < kRows ? rowsLeft : kRows);
    for (int64_t token = 0; token < piece_.tokens; token += kAmxTokens) {
      const int64_t left = piece_.tokens - token;
      const int tokens = static_cast<int>(left < kAmxTokens ? left : kAmxTokens);
      float* const y = piece_.y + token * piece_.yStride + row;
      F32x16 sum[kAmxTokens];
      for (int n = 0; n < kAmxTokens; ++n) {
        sum[n] = begins || n >= tokens ? zeroF() : loadFirst(y + n * piece_.yStride, rows);
      }
      addPanel(fetch, first, tiles, operands,
               {piece_.x + token * piece_.xRowBytes +
                    firstTile * Weights::actBlocks * static_cast<int64_t>(sizeof(Act8Block)),
                piece_.xRowBytes},
               tokens, sum);
      for (int n = 0; n < tokens; ++n) {
        if (ends) finish(group, token + n, rows, sum[n]);
        storeFirst(y + n * piece_.yStride, sum[n], rows);
      }
    }
  }

  const uint8_t* operandsOf(const uint8_t* first, int64_t tiles) {
    if constexpr (kReady) {
      (void)tiles;
      return first + Weights::quantsAt;
    } else {
      unpack(first, tiles);
      return operands_;
    }
  }

  [[gnu::noinline]] void unpack(const uint8_t* first, int64_t tiles) {
    static constexpr Act8Block kNothing[Weights::actBlocks] = {};
    const Act8Block* const x[1] = {kNothing};
    for (int64_t k = 0; k < tiles; ++k) {
      F32x16 ignored[1][1] = {{zeroF()}};
      Weights::tile(Unpacked{{first + k * Weights::tileBytes, 0, x, ignored},
                             Weights::raised,
                             operands_ + k * Weights::actBlocks * kBlockOperand});
    }
  }

  // Adds a panel's products with up to 16 tokens. For tokens that are not there, those of the last one are computed,
  // and lost. A function of its own, because it wants the registers for itself.
  [[gnu::noinline]] void addPanel(Fetch<1>& fetch, const uint8_t* first, int64_t tiles, const uint8_t* operands,
                                  const TokenRun& run, int tokens, F32x16 (&sum)[kAmxTokens]) {
    const Act8Block* x[kAmxTokens];
    for (int n = 0; n < kAmxTokens; ++n) {
      x[n] = reinterpret_cast<const Act8Block*>(run.x + (n < tokens ? n : tokens - 1) * run.rowBytes);
    }
    Dots dots(run.x, run.rowBytes, tokens, operands, kReady ? Weights::tileBytes : kBlockOperand,
              tiles * Weights::actBlocks, slots_);
    TileTimesDots<Dots> product{{first, 0, RowsFrom{x, 0}, {}}, dots};
#pragma GCC unroll 16
    for (int n = 0; n < kAmxTokens; ++n) product.sum.ofToken[n] = sum[n];
    for (int64_t k = 0; k < tiles; ++k) {
      fetch.some();
      Weights::tile(product);
      product.tile += Weights::tileBytes;
      product.x.block += Weights::actBlocks;
    }
#pragma GCC unroll 16
    for (int n = 0; n < kAmxTokens; ++n) sum[n] = product.sum.ofToken[n];
  }

  // What follows the blocks of one token: its rests, whose weights no other token shares, and the bias.
  void finish(int64_t group, int64_t token, int rows, F32x16& sum) const {
    const TileRun w{piece_.tiles + group * groupBytes_, groupBytes_, piece_.blocks, piece_.columns, nullptr, 0};
    const auto* x = reinterpret_cast<const Act8Block*>(piece_.x + token * piece_.xRowBytes);
    F32x16 one[1][1] = {{sum}};
    Quantized<Weights>::template addRests<1, 1>(w, {x + piece_.blocks * Weights::actBlocks}, one);
    sum = one[0][0];
    if (piece_.bias != nullptr) sum = add(sum, loadFirst(piece_.bias + group * TD_TILE_ROWS, rows));
  }

  const MatMulPiece& piece_;
  const int64_t groupBytes_, parts_;
  alignas(64) int32_t slots_[Dots::kSlots * Dots::kSlotInts] = {};
  alignas(64) uint8_t operands_[kReady ? 64 : kPanelBlocks * kBlockOperand];
};

template <class Unit, auto others, class Weights, int32_t type>
void multiplyWithAmx(const MatMulPiece& piece) {
  if (piece.tokens > Quantized<Weights>::kStreamTokens) {
    AmxMatMul<Unit, Weights>::multiply(piece);
  } else {
    others(type)(piece);
  }
}

// The kernel of a weight type, or null. Few tokens, which are bound by memory, take those of `others`.
template <class Unit, auto others>
void (*amxMatMul(int32_t weightType))(const MatMulPiece&) {
  switch (weightType) {
    case TD_Q4_0:
      return multiplyWithAmx<Unit, others, Q40, TD_Q4_0>;
    case TD_Q4_1:
      return multiplyWithAmx<Unit, others, Q41, TD_Q4_1>;
    case TD_Q8_0:
      return multiplyWithAmx<Unit, others, Q80, TD_Q8_0>;
    case TD_Q4_K:
      return multiplyWithAmx<Unit, others, Q4K, TD_Q4_K>;
    case TD_Q6_K:
      return multiplyWithAmx<Unit, others, Q6K, TD_Q6_K>;
    default:
      return others(weightType);
  }
}

}  // namespace td::TD_ISA
