// Matmul of every weight format for GPUs, on the emulated device, raw and checked, in all orders of threads: against
// double precision on the same encoded activations, and a token's bits against those that it has in other company.
#include <algorithm>
#include <tuple>

#include "cuda/kernels/kernels.h"
#include "emulated/device_fixture.h"
#include "weights.h"

namespace td::testing {
namespace {

int32_t activationTypeFor(td_type type) {
  switch (type) {
    case TD_F32:
    case TD_F16:
      return TD_F32;
    case TD_BF16:
      return TD_ACTBF16;
    default:
      return TD_ACT8;
  }
}

// Tokens as a format wants them, rows `padding` bytes apart.
struct Tokens {
  int32_t type;
  int64_t columns, count, rowBytes;
  std::vector<unsigned char> bytes;

  Tokens(td_type weights, const std::vector<float>& x, int64_t columns, int64_t count, int64_t padding = 0)
      : type(activationTypeFor(weights)),
        columns(columns),
        count(count),
        rowBytes(usedBytes() + padding),
        bytes(static_cast<size_t>(count * rowBytes), 0xff) {
    const Kernels& kernels = kernelsFor(TD_ISA_SCALAR);
    for (int64_t token = 0; token < count; ++token) {
      const float* from = x.data() + token * columns;
      unsigned char* to = bytes.data() + token * rowBytes;
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

  int64_t usedBytes() const { return activationRowBytes(type, columns); }
  const unsigned char* row(int64_t token) const { return bytes.data() + token * rowBytes; }

  double value(int64_t token, int64_t column) const {
    if (type == TD_ACTBF16) {
      uint16_t bits;
      memcpy(&bits, row(token) + 2 * column, sizeof bits);
      return bf16ToFloat(bits);
    }
    float value;
    memcpy(&value, row(token) + 4 * column, sizeof value);
    return value;
  }
};

// A row of weights times all tokens, with the largest error that the sum in float can have: each of `terms` fused
// multiply-adds rounds once, so does each addition of one of the eight segments, in whatever order (Higham, "Accuracy
// and Stability of Numerical Algorithms", section 3.1), and products of scales round, or lose what is below float's
// least.
std::vector<Bounded> expectedOf(const WeightMatrix& weights, const Tokens& x, int64_t row, const float* bias) {
  std::vector<Element> elements;
  for (int64_t column = 0; column < x.columns; ++column) elements.push_back(weights.element(row, column));

  std::vector<Bounded> expected;
  for (int64_t token = 0; token < x.count; ++token) {
    double sum = 0, sizes = 0, tiniest = 0;
    int64_t terms = 8;
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
      const Act8Row layout(x.columns);
      const auto* blocks = reinterpret_cast<const Act8Block*>(x.row(token));
      const auto* rests = reinterpret_cast<const Act8Rest*>(blocks + layout.blocks);
      for (int64_t i = 0; i < layout.blocks; ++i) add(blocks[i], i * kActBlock);
      for (int64_t i = 0; i < layout.rests; ++i) add(rests[i].block, rests[i].index * kActBlock);
    } else {
      for (int64_t column = 0; column < x.columns; ++column) {
        const double product = elements[static_cast<size_t>(column)].value() * x.value(token, column);
        sum += product;
        sizes += std::abs(product);
        tiniest += 0x1p-149;
      }
      terms += x.columns;
    }
    double tolerance = static_cast<double>(terms + 3) * kRounding * sizes + tiniest;
    if (bias != nullptr) {
      sum += *bias;
      tolerance += kRounding * std::abs(sum);
    }
    expected.push_back({sum, tolerance});
  }
  return expected;
}

class GpuMatMulTest : public ::testing::TestWithParam<std::tuple<bool, td_type>> {
 protected:
  GpuMatMulTest() : open_({.checked = isChecked()}) {}

  static bool isChecked() { return std::get<0>(GetParam()); }
  static td_type type() { return std::get<1>(GetParam()); }
  const GpuKernels& kernels() const { return isChecked() ? checked::gpuKernels : raw::gpuKernels; }
  Device& device() { return open_.device; }
  Stream& stream() { return open_.stream; }

  void arrange(Random& random) {
    const Order order = random.pick(orders());
    stream().setOrder(order.order, order.seed + random.bits() % 1000);
  }

  static int64_t randomColumns(Random& random) {
    switch (const int block = formatOf(type()).blockElements) {
      case 256:
        return block * random.between(1, random.chance(0.2) ? 9 : 3);
      case 32:
        return block * random.between(1, random.chance(0.2) ? 40 : 9);
      default:
        return random.chance(0.2) ? random.between(1, 20) : random.between(1, 400);
    }
  }

  // All tokens at once, where the outputs were NaN.
  std::vector<float> multiply(const WeightMatrix& weights, const Tokens& x) {
    DeviceArray<unsigned char> tiles(device(), stream(), weights.tiles(), "weights"),
        xs(device(), stream(), x.bytes, "x");
    const auto size = static_cast<size_t>(x.count * weights.rows);
    DeviceArray<float> y(device(), stream(), std::vector<float>(size, notANumber()), "y");
    EXPECT_TRUE(ok(kernels().matMul(&stream(), {.weights = tiles.readOnly(),
                                                .x = xs.input(),
                                                .bias = {},
                                                .y = y.span(),
                                                .type = type(),
                                                .rows = weights.rows,
                                                .columns = weights.columns,
                                                .tokens = x.count,
                                                .xRowBytes = x.rowBytes,
                                                .yStride = weights.rows})));
    return y.read(stream());
  }

 private:
  OpenDevice open_;
};

INSTANTIATE_TEST_SUITE_P(Views, GpuMatMulTest, ::testing::Combine(::testing::Bool(), ::testing::ValuesIn(kWeightTypes)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) ? "Checked_" : "Raw_") +
                                  typeName(std::get<1>(info.param));
                         });

TEST_P(GpuMatMulTest, AgreesWithDoublePrecisionWhateverTheCompany) {
  for (int round = 0; round < rounds(isChecked() ? 10 : 30); ++round) {
    Random random("gpu matmul " + typeName(type()), static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(1, isChecked() || random.chance(0.7) ? 40 : 150),
                  columns = randomColumns(random), few = random.between(0, 8),
                  many = random.between(9, isChecked() ? 20 : 150), tokens = random.chance(0.5) ? few : many,
                  yStride = rows + random.between(0, 5),
                  padding = (activationTypeFor(type()) == TD_ACT8 ? 16 : 4) * random.between(0, 2);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "[" << rows << ", " << columns << "] x " << tokens);
    const WeightMatrix weights(random, type(), rows, columns);
    std::vector<float> values;
    for (int64_t token = 0; token < tokens; ++token) {
      const auto row = random.normals(columns, random.chance(0.1) ? 0 : std::pow(10, random.uniform(-4, 4)));
      values.insert(values.end(), row.begin(), row.end());
    }
    const Tokens x(type(), values, columns, tokens, padding);
    const std::vector<float> bias = random.chance(0.5) ? random.normals(rows) : std::vector<float>();

    DeviceArray<unsigned char> tiles(device(), stream(), weights.tiles(), "weights"),
        xs(device(), stream(), x.bytes, "x");
    DeviceArray<float> biases(device(), stream(), bias, "bias");
    // The last row of the output ends where it ends: no padding behind it.
    const int64_t size = tokens == 0 ? 0 : (tokens - 1) * yStride + rows;
    const std::vector<float> poison(static_cast<size_t>(size), notANumber());
    DeviceArray<float> y(device(), stream(), poison, "y");
    const auto multiply = [&](int64_t first, int64_t count) {
      const MatMulCall call{.weights = tiles.readOnly(),
                            .x = {xs.address() + static_cast<DeviceAddress>(first * x.rowBytes),
                                  count == 0 ? 0 : (count - 1) * x.rowBytes + x.usedBytes(), "x"},
                            .bias = biases.readOnly(),
                            .y = {y.address() + static_cast<DeviceAddress>(4 * first * yStride),
                                  count == 0 ? 0 : (count - 1) * yStride + rows, "y"},
                            .type = type(),
                            .rows = rows,
                            .columns = columns,
                            .tokens = count,
                            .xRowBytes = x.rowBytes,
                            .yStride = yStride};
      ASSERT_TRUE(ok(kernels().matMul(&stream(), call)));
    };
    multiply(0, tokens);
    const std::vector<float> all = y.read(stream());
    for (int64_t row = 0; row < rows; ++row) {
      const auto expected = expectedOf(weights, x, row, bias.empty() ? nullptr : &bias[static_cast<size_t>(row)]);
      for (int64_t token = 0; token < tokens; ++token) {
        ASSERT_TRUE(within(all[static_cast<size_t>(token * yStride + row)], expected[static_cast<size_t>(token)]))
            << "row " << row << ", token " << token;
      }
    }
    for (int64_t i = 0; i < size; ++i) {
      ASSERT_TRUE(i % yStride < rows || std::isnan(all[static_cast<size_t>(i)]))
          << "wrote between the rows of the output";
    }

    y.write(stream(), poison);
    for (int64_t token = 0; token < tokens; ++token) multiply(token, 1);
    ASSERT_TRUE(sameBits(all, y.read(stream()))) << "one token at a time";

    y.write(stream(), poison);
    for (int64_t token = 0; token < tokens;) {
      const int64_t count = std::min(tokens - token, random.between(1, random.chance(0.5) ? 8 : 90));
      multiply(token, count);
      token += count;
    }
    ASSERT_TRUE(sameBits(all, y.read(stream()))) << "some tokens at a time";
  }
}

// A NaN or an infinity reaches every output of its token, also against weights of zero, and none of another's.
TEST_P(GpuMatMulTest, NotANumberInATokenSpoilsThatAlone) {
  constexpr int64_t kRows = 21, kColumns = 512;
  for (const float bad : {notANumber(), infinity(), -infinity()}) {
    for (const bool zeros : {false, true}) {
      for (const int64_t tokens : {1, 3, 18}) {
        Random random("gpu poison");
        SCOPED_TRACE(::testing::Message() << bad << ", " << tokens << " tokens" << (zeros ? ", weights of 0" : ""));
        WeightMatrix weights(random, type(), kRows, kColumns);
        if (zeros) std::ranges::fill(weights.plain, 0);
        std::vector<float> values = random.normals(tokens * kColumns);
        const std::vector<float> good = multiply(weights, Tokens(type(), values, kColumns, tokens));
        const int64_t spoilt = random.between(0, tokens - 1);
        values[static_cast<size_t>(spoilt * kColumns + 100)] = bad;
        const std::vector<float> y = multiply(weights, Tokens(type(), values, kColumns, tokens));
        for (int64_t i = 0; i < tokens * kRows; ++i) {
          const auto at = static_cast<size_t>(i);
          if (i / kRows == spoilt) {
            EXPECT_FALSE(std::isfinite(y[at])) << "row " << i % kRows;
          } else {
            EXPECT_TRUE(sameBits(y[at], good[at])) << "row " << i % kRows << ", token " << i / kRows;
          }
        }
      }
    }
  }
}

// A NaN in a row's weights reaches every token's output for it, also a token of zeros, and none of another row's.
TEST_P(GpuMatMulTest, NotANumberInARowSpoilsThatAlone) {
  constexpr int64_t kRows = 21, kColumns = 512, kSpoilt = 17;
  for (const int64_t tokens : {1, 3, 18}) {
    Random random("gpu poisoned weights");
    SCOPED_TRACE(::testing::Message() << tokens << " tokens");
    WeightMatrix weights(random, type(), kRows, kColumns);
    std::vector<float> values = random.normals(tokens * kColumns);
    std::fill_n(values.begin(), kColumns, 0.0f);
    const Tokens x(type(), values, kColumns, tokens);
    const std::vector<float> good = multiply(weights, x);
    // All bits of a block's scale, or of an element.
    const Format& format = weights.format();
    const int64_t block = kColumns / format.blockElements - 1, inBlock = type() == TD_Q6_K ? 208 : 0;
    memset(&weights.plain[static_cast<size_t>(kSpoilt * plainRowBytes(format, kColumns) + block * format.blockBytes +
                                              inBlock)],
           0xff, type() == TD_F32 ? 4 : 2);
    const std::vector<float> y = multiply(weights, x);
    for (int64_t i = 0; i < tokens * kRows; ++i) {
      const auto at = static_cast<size_t>(i);
      if (i % kRows == kSpoilt) {
        EXPECT_TRUE(std::isnan(y[at])) << "token " << i / kRows;
      } else {
        EXPECT_TRUE(sameBits(y[at], good[at])) << "row " << i % kRows << ", token " << i / kRows;
      }
    }
  }
}

TEST(GpuMatMulTypes, OthersAreRefused) {
  OpenDevice open({.checked = true});
  for (const int32_t type : {int32_t{TD_I32}, int32_t{TD_ACT8}, 99, -1}) {
    MatMulCall call{};
    call.type = type;
    call.rows = call.columns = call.tokens = 1;
    EXPECT_TRUE(refuses(checked::gpuKernels.matMul(&open.stream, call), "weights of this type are not supported"));
  }
}

}  // namespace
}  // namespace td::testing
