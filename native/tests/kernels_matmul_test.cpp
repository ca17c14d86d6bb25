// Matmul kernels of every format on every instruction set, and on emulated AMX, against double precision on the same
// encoded activations, and against each other.
#include <algorithm>

#include "emulated_tiles.h"
#include "matmul_problem.h"

namespace td::testing {
namespace {

// The tables of this machine's instruction sets, scalar first, and AMX with emulated tile registers on their lanes.
struct Tested {
  std::string name;
  Kernels kernels;
};

const std::vector<Tested>& tested() {
  static const std::vector<Tested> all = [] {
    std::vector<Tested> found;
    for (const td_isa isa : isas()) found.push_back({isaName(isa), kernelsFor(isa)});
    const auto emulate = [&](td_isa lanes, auto matmul) {
      Kernels kernels = kernelsFor(lanes);
      kernels.matmul = matmul;
      found.push_back({std::string("emulated AMX on ") + isaName(lanes), kernels});
    };
    emulate(TD_ISA_SCALAR, scalar::emulatedAmx);
#if defined(__x86_64__)
    if (std::ranges::find(isas(), TD_ISA_AVX512) != isas().end()) emulate(TD_ISA_AVX512, amx::emulatedAmx);
#endif
    return found;
  }();
  return all;
}

// The activations as one instruction set encodes them.
EncodedTokens encode(const Kernels& kernels, const Product& product, int64_t padding) {
  return encodeTokens(kernels, kernels.activationType(product.weights.type), product, padding);
}

// Runs row groups [firstGroup, firstGroup + groups) for tokens [firstToken, firstToken + tokens).
enum class Work { given, none };
void multiply(const Kernels& kernels, const Product& product, const std::vector<uint8_t>& tiles, const EncodedTokens& x,
              int64_t firstGroup, int64_t groups, int64_t firstToken, int64_t tokens, float* y, int64_t yStride,
              Work given = Work::given) {
  const Format& format = product.weights.format();
  const Poisoned<uint8_t> work(kernels.matmulWorkBytes(product.weights.type, product.weights.columns));
  const int64_t blocks = blocksPerRow(format, product.weights.columns), row = firstGroup * kTileRows;
  kernels.matmul(product.weights.type)({.tiles = tiles.data() + firstGroup * blocks * tileBytes(format),
                                        .groups = groups,
                                        .blocks = blocks,
                                        .columns = product.weights.columns,
                                        .x = x.row(firstToken),
                                        .xRowBytes = x.rowBytes,
                                        .tokens = tokens,
                                        .y = y + firstToken * yStride + row,
                                        .yStride = yStride,
                                        .rows = std::min(groups * kTileRows, product.weights.rows - row),
                                        .bias = product.bias.empty() ? nullptr : product.bias.data() + row,
                                        .work = given == Work::given ? work.data() : nullptr});
  ASSERT_TRUE(work.intact());
}

class MatMulKernels : public ::testing::TestWithParam<td_type> {
 protected:
  void SetUp() override { tileReport(); }
  void TearDown() override {
    const TileReport report = tileReport();
    EXPECT_EQ(0, report.faults) << report.firstFault;
    EXPECT_FALSE(report.configured) << "tile registers are not released";
  }
};

std::string typeOfTest(const ::testing::TestParamInfo<td_type>& info) {
  return typeName(info.param);
}

TEST_P(MatMulKernels, AgreeWithDoublePrecisionAndWithEachOther) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("matmul " + typeName(GetParam()), static_cast<uint64_t>(round));
    const int64_t rows = random.between(1, 70), tokens = random.between(0, 40);
    const Product product(random, GetParam(), rows, randomColumns(random, GetParam()), tokens);
    const std::vector<uint8_t> tiles = product.weights.tiles();
    const int64_t groups = rowGroups(rows), yStride = rows + random.between(0, 5), padding = 4 * random.between(0, 4);
    std::vector<float> scalar;
    for (const auto& [name, kernels] : tested()) {
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                   << name << " [" << rows << ", " << product.weights.columns << "] x " << tokens);
      const EncodedTokens x = encode(kernels, product, padding);
      // The last row of the output ends where it ends: no padding behind it.
      const int64_t size = tokens == 0 ? 0 : (tokens - 1) * yStride + rows;
      Poisoned<float> y(size);
      multiply(kernels, product, tiles, x, 0, groups, 0, tokens, y.data(), yStride);
      ASSERT_TRUE(y.intact());
      for (int64_t row = 0; row < rows; ++row) {
        const auto expected = expectedOf(product, x, row);
        for (int64_t token = 0; token < tokens; ++token) {
          ASSERT_TRUE(within(y[token * yStride + row], expected[static_cast<size_t>(token)]))
              << "row " << row << ", token " << token;
        }
      }
      for (int64_t i = 0; i < size; ++i) {
        ASSERT_TRUE(i % yStride < rows || std::isnan(y[i])) << "wrote between the rows of the output";
      }

      Poisoned<float> single(size);
      for (int64_t token = 0; token < tokens; ++token)
        multiply(kernels, product, tiles, x, 0, groups, token, 1, single.data(), yStride);
      ASSERT_TRUE(sameBits(y, single)) << "one token at a time";

      Poisoned<float> packed(size);
      multiply(kernels, product, tiles, x, 0, groups, 0, tokens, packed.data(), yStride, Work::none);
      ASSERT_TRUE(sameBits(y, packed)) << "without work memory";

      Poisoned<float> cut(size);
      const int64_t group = random.between(0, groups), token = random.between(0, tokens);
      multiply(kernels, product, tiles, x, 0, group, 0, tokens, cut.data(), yStride);
      if (group < groups) {
        multiply(kernels, product, tiles, x, group, groups - group, 0, token, cut.data(), yStride);
        multiply(kernels, product, tiles, x, group, groups - group, token, tokens - token, cut.data(), yStride);
      }
      ASSERT_TRUE(sameBits(y, cut)) << "in pieces, cut at group " << group << " and token " << token;

      if (scalar.empty()) scalar.assign(y.begin(), y.end());
      if (x.type != TD_ACTBF16) {
        ASSERT_TRUE(sameBits(y, scalar)) << "unlike scalar";
      }
    }
  }
}

// A block with a NaN or an infinity reaches every output of its token, and none of another's.
TEST_P(MatMulKernels, NotANumberSpoilsItsTokenOnly) {
  for (const auto& [name, kernels] : tested()) {
    for (const float bad : {notANumber(), infinity(), -infinity()}) {
      Random random("poison");
      SCOPED_TRACE(::testing::Message() << name << " " << bad);
      // So many tokens that all ways of computing are taken; the last one too has no others behind it.
      for (const int64_t tokens : {3, 18}) {
        Product product(random, GetParam(), 21, 512, tokens);
        const EncodedTokens good = encode(kernels, product, 0);
        const int64_t spoilt = random.between(0, tokens - 1);
        product.x[static_cast<size_t>(spoilt * 512 + 100)] = bad;
        const EncodedTokens x = encode(kernels, product, 0);
        const std::vector<uint8_t> tiles = product.weights.tiles();
        Poisoned<float> y(tokens * 21), expected(tokens * 21);
        multiply(kernels, product, tiles, x, 0, 2, 0, tokens, y.data(), 21);
        multiply(kernels, product, tiles, good, 0, 2, 0, tokens, expected.data(), 21);
        for (int64_t i = 0; i < tokens * 21; ++i) {
          if (i / 21 == spoilt) {
            EXPECT_FALSE(std::isfinite(y[i])) << "row " << i % 21;
          } else {
            EXPECT_TRUE(sameBits(y[i], expected[i])) << "row " << i % 21 << ", token " << i / 21;
          }
        }
      }
    }
  }
}

// The emulated registers do compute: as many dot products as there are blocks, and configured once per piece. Few
// tokens go without.
TEST_P(MatMulKernels, ManyTokensAreComputedByAmx) {
  Random random("by amx");
  const Product product(random, GetParam(), 33, 1280, 40);
  const bool quantised = kernelsFor(TD_ISA_SCALAR).activationType(GetParam()) == TD_ACT8;
  const int64_t groups = 3, blocks = 1280 / kActBlock, tokenTiles = 3, dotsPerBlock = GetParam() == TD_Q6_K ? 2 : 1;
  for (const auto& [name, kernels] : tested()) {
    SCOPED_TRACE(name);
    const EncodedTokens x = encode(kernels, product, 0);
    const std::vector<uint8_t> tiles = product.weights.tiles();
    Poisoned<float> y(40 * 33);
    const bool counts = quantised && name.starts_with("emulated");
    multiply(kernels, product, tiles, x, 0, groups, 0, 40, y.data(), 33);
    const TileReport many = tileReport();
    EXPECT_EQ(counts ? groups * blocks * tokenTiles * dotsPerBlock : 0, many.dots);
    EXPECT_EQ(counts ? 1 : 0, many.configurations);
    EXPECT_EQ(0, many.faults) << many.firstFault;
    multiply(kernels, product, tiles, x, 0, groups, 0, 2, y.data(), 33);
    EXPECT_EQ(0, tileReport().configurations);
  }
}

INSTANTIATE_TEST_SUITE_P(Format, MatMulKernels, ::testing::ValuesIn(kWeightTypes), typeOfTest);

TEST(MatMulTable, KnowsItsTypes) {
  for (const td_isa isa : isas()) {
    const Kernels& kernels = kernelsFor(isa);
    EXPECT_EQ(isa, kernels.isa);
    for (const td_type type : kWeightTypes) EXPECT_NE(nullptr, kernels.matmul(type)) << typeName(type);
    for (const int32_t type : {int32_t{TD_I32}, int32_t{TD_ACT8}, 99, -1})
      EXPECT_EQ(nullptr, kernels.matmul(type)) << type;
    EXPECT_EQ(TD_F32, kernels.activationType(TD_F16));
    EXPECT_EQ(TD_ACT8, kernels.activationType(TD_Q6_K));
    EXPECT_EQ(isa >= TD_ISA_AVX512 ? TD_ACTBF16 : TD_F32, kernels.activationType(TD_BF16));
  }
}

}  // namespace
}  // namespace td::testing
