// Matmul kernels of every format on every instruction set, against double precision on the same encoded activations.
//
// Tolerance. The integer dot products are exact, so the error is that of the float sums: one rounding per term and one
// per product of scales. With u = 2^-24, `terms` fused multiply-adds give at most (terms + 3) u sum|term| (Higham,
// "Accuracy and Stability of Numerical Algorithms", section 3.1); products of scales that underflow lose at most 2^-150
// times a dot product below 2^24. AVX-512's BF16 instruction rounds the same number of times, but takes what is below
// 2^-126 for zero.
#include "weights.h"

namespace td::testing {
namespace {

// A matrix, activations of some tokens, and what the product must be.
struct Problem {
  WeightMatrix weights;
  int64_t tokens;
  std::vector<float> x;
  std::vector<float> bias;  // may be empty

  Problem(Random& random, td_type type, int64_t rows, int64_t columns, int64_t tokens)
      : weights(random, type, rows, columns), tokens(tokens) {
    for (int64_t token = 0; token < tokens; ++token) {
      const double amplitude = random.chance(0.1) ? 0 : std::pow(10, random.uniform(-4, 4));
      const auto row = random.normals(columns, amplitude);
      x.insert(x.end(), row.begin(), row.end());
    }
    if (random.chance(0.5)) bias = random.normals(rows);
  }
};

// The activations as one instruction set encodes them.
struct Encoded {
  int32_t type;
  int64_t rowBytes;
  std::vector<uint8_t> bytes;

  Encoded(const Kernels& kernels, const Problem& problem, int64_t padding)
      : type(kernels.activationType(problem.weights.type)),
        rowBytes(activationRowBytes(type, problem.weights.columns) + padding),
        bytes(static_cast<size_t>(problem.tokens * rowBytes), 0xff) {
    const int64_t columns = problem.weights.columns;
    for (int64_t token = 0; token < problem.tokens; ++token) {
      const float* from = problem.x.data() + token * columns;
      uint8_t* to = bytes.data() + token * rowBytes;
      switch (type) {
        case TD_ACT8:
          kernels.encode8(from, columns, reinterpret_cast<Act8Block*>(to));
          break;
        case TD_ACTBF16:
          kernels.encodeBf16(from, columns, reinterpret_cast<uint16_t*>(to));
          break;
        default:
          memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
      }
    }
  }

  const uint8_t* row(int64_t token) const { return bytes.data() + token * rowBytes; }

  double float32(int64_t token, int64_t column) const {
    float value;
    if (type == TD_ACTBF16) {
      uint16_t bits;
      memcpy(&bits, row(token) + 2 * column, sizeof bits);
      return bf16ToFloat(bits);
    }
    memcpy(&value, row(token) + 4 * column, sizeof value);
    return value;
  }
};

// One row of weights times all tokens.
std::vector<Bounded> expectedOf(const Problem& problem, const Encoded& x, int64_t row) {
  const int64_t columns = problem.weights.columns;
  std::vector<Element> elements;
  for (int64_t column = 0; column < columns; ++column) elements.push_back(problem.weights.element(row, column));

  std::vector<Bounded> expected;
  for (int64_t token = 0; token < problem.tokens; ++token) {
    double sum = 0, sizes = 0, tiniest = 0;
    int64_t terms = 0;
    if (x.type == TD_ACT8) {
      const auto add = [&](const Act8Block& block, int64_t first) {
        double dot = 0, base = 0;
        for (int i = 0; i < kActBlock; ++i) {
          const Element& element = elements[static_cast<size_t>(first + i)];
          dot += element.multiplier * element.quant * block.quants[i];
          base += element.base * block.quants[i];
        }
        sum += (dot + base) * block.scale;
        sizes += (std::abs(dot) + std::abs(base)) * block.scale;
        terms += 2;
        tiniest += 0x1p-125;
      };
      const Act8Row layout(columns);
      const auto* blocks = reinterpret_cast<const Act8Block*>(x.row(token));
      const auto* rests = reinterpret_cast<const Act8Rest*>(blocks + layout.blocks);
      for (int64_t i = 0; i < layout.blocks; ++i) add(blocks[i], i * kActBlock);
      for (int64_t i = 0; i < layout.rests; ++i) add(rests[i].block, rests[i].index * kActBlock);
    } else {
      for (int64_t column = 0; column < columns; ++column) {
        const double product = elements[static_cast<size_t>(column)].value() * x.float32(token, column);
        sum += product;
        sizes += std::abs(product);
        ++terms;
        // What the BF16 instruction takes for zero: a factor, or a sum.
        tiniest += x.type == TD_ACTBF16 ? 0x1p-125 * (1 + std::abs(x.float32(token, column))) : 0x1p-149;
      }
    }
    double tolerance = static_cast<double>(terms + 3) * kRounding * sizes + tiniest;
    if (!problem.bias.empty()) {
      sum += problem.bias[static_cast<size_t>(row)];
      tolerance += kRounding * std::abs(sum);
    }
    expected.push_back({sum, tolerance});
  }
  return expected;
}

// Runs row groups [firstGroup, firstGroup + groups) for tokens [firstToken, firstToken + tokens).
void multiply(const Kernels& kernels, const Problem& problem, const std::vector<uint8_t>& tiles, const Encoded& x,
              int64_t firstGroup, int64_t groups, int64_t firstToken, int64_t tokens, float* y, int64_t yStride) {
  const Format& format = problem.weights.format();
  const int64_t blocks = blocksPerRow(format, problem.weights.columns), row = firstGroup * kTileRows;
  kernels.matmul(problem.weights.type)({.tiles = tiles.data() + firstGroup * blocks * tileBytes(format),
                                        .groups = groups,
                                        .blocks = blocks,
                                        .columns = problem.weights.columns,
                                        .x = x.row(firstToken),
                                        .xRowBytes = x.rowBytes,
                                        .tokens = tokens,
                                        .y = y + firstToken * yStride + row,
                                        .yStride = yStride,
                                        .rows = std::min(groups * kTileRows, problem.weights.rows - row),
                                        .bias = problem.bias.empty() ? nullptr : problem.bias.data() + row});
}

int64_t randomColumns(Random& random, td_type type) {
  switch (const int block = formatOf(type).blockElements) {
    case 256:
      return block * random.between(1, 5);
    case 32:
      return block * random.between(1, random.chance(0.2) ? 40 : 8);
    default:
      return random.chance(0.2) ? random.between(1, 4) : random.between(1, 600);
  }
}

class MatMulKernels : public ::testing::TestWithParam<td_type> {};

std::string typeOfTest(const ::testing::TestParamInfo<td_type>& info) {
  return typeName(info.param);
}

TEST_P(MatMulKernels, AgreeWithDoublePrecisionAndWithEachOther) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("matmul " + typeName(GetParam()), static_cast<uint64_t>(round));
    const int64_t rows = random.between(1, 70), tokens = random.between(0, 20);
    const Problem problem(random, GetParam(), rows, randomColumns(random, GetParam()), tokens);
    const std::vector<uint8_t> tiles = problem.weights.tiles();
    const int64_t groups = rowGroups(rows), yStride = rows + random.between(0, 5), padding = 4 * random.between(0, 4);
    std::vector<float> scalar;
    for (const td_isa isa : isas()) {
      const Kernels& kernels = kernelsFor(isa);
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                   << isaName(isa) << " [" << rows << ", " << problem.weights.columns << "] x " << tokens);
      const Encoded x(kernels, problem, padding);
      // The last row of the output ends where it ends: no padding behind it.
      const int64_t size = tokens == 0 ? 0 : (tokens - 1) * yStride + rows;
      Poisoned<float> y(size);
      multiply(kernels, problem, tiles, x, 0, groups, 0, tokens, y.data(), yStride);
      ASSERT_TRUE(y.intact());
      for (int64_t row = 0; row < rows; ++row) {
        const auto expected = expectedOf(problem, x, row);
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
        multiply(kernels, problem, tiles, x, 0, groups, token, 1, single.data(), yStride);
      ASSERT_TRUE(sameBits(y, single)) << "one token at a time";

      Poisoned<float> cut(size);
      const int64_t group = random.between(0, groups), token = random.between(0, tokens);
      multiply(kernels, problem, tiles, x, 0, group, 0, tokens, cut.data(), yStride);
      if (group < groups) {
        multiply(kernels, problem, tiles, x, group, groups - group, 0, token, cut.data(), yStride);
        multiply(kernels, problem, tiles, x, group, groups - group, token, tokens - token, cut.data(), yStride);
      }
      ASSERT_TRUE(sameBits(y, cut)) << "in pieces, cut at group " << group << " and token " << token;

      if (isa == TD_ISA_SCALAR) scalar.assign(y.begin(), y.end());
      if (x.type != TD_ACTBF16) {
        ASSERT_TRUE(sameBits(y, scalar)) << "unlike scalar";
      }
    }
  }
}

// A block with a NaN or an infinity reaches every output of its token, and none of another's.
TEST_P(MatMulKernels, NotANumberSpoilsItsTokenOnly) {
  for (const td_isa isa : isas()) {
    const Kernels& kernels = kernelsFor(isa);
    for (const float bad : {notANumber(), infinity(), -infinity()}) {
      Random random("poison");
      SCOPED_TRACE(::testing::Message() << isaName(isa) << " " << bad);
      Problem problem(random, GetParam(), 21, 512, 3);
      const Encoded good(kernels, problem, 0);
      problem.x[512 + 100] = bad;
      const Encoded x(kernels, problem, 0);
      const std::vector<uint8_t> tiles = problem.weights.tiles();
      Poisoned<float> y(3 * 21), expected(3 * 21);
      multiply(kernels, problem, tiles, x, 0, 2, 0, 3, y.data(), 21);
      multiply(kernels, problem, tiles, good, 0, 2, 0, 3, expected.data(), 21);
      for (int64_t row = 0; row < 21; ++row) {
        EXPECT_TRUE(sameBits(y[row], expected[row])) << row;
        EXPECT_FALSE(std::isfinite(y[21 + row])) << row;
        EXPECT_TRUE(sameBits(y[42 + row], expected[42 + row])) << row;
      }
    }
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
    EXPECT_EQ(isa == TD_ISA_AVX512 ? TD_ACTBF16 : TD_F32, kernels.activationType(TD_BF16));
  }
}

}  // namespace
}  // namespace td::testing
