// Matmul of every weight format for GPUs, on the emulated device, raw and checked, in all orders of threads: against
// double precision on the same encoded activations, and a token's bits against those that it has in other company.
#include <algorithm>
#include <tuple>

#include "cuda/kernels/kernels.h"
#include "emulated/device_fixture.h"
#include "matmul_problem.h"

namespace td::testing {
namespace {

// Its sums are joined from as many segments.
constexpr int64_t kSegments = 8;

EncodedTokens encode(const Product& product, int64_t padding = 0) {
  return encodeTokens(kernelsFor(TD_ISA_SCALAR), activationTypeFor(product.weights.type), product, padding);
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

  // All tokens at once, where the outputs were NaN.
  std::vector<float> multiply(const Product& product) {
    const WeightMatrix& weights = product.weights;
    const EncodedTokens x = encode(product);
    DeviceArray<unsigned char> tiles(device(), stream(), weights.tiles(), "weights"),
        xs(device(), stream(), x.bytes, "x");
    const auto size = static_cast<size_t>(product.tokens * weights.rows);
    DeviceArray<float> y(device(), stream(), std::vector<float>(size, notANumber()), "y");
    EXPECT_TRUE(ok(kernels().matMul(&stream(), {.weights = tiles.readOnly(),
                                                .x = xs.input(),
                                                .bias = {},
                                                .y = y.span(),
                                                .type = type(),
                                                .rows = weights.rows,
                                                .columns = weights.columns,
                                                .tokens = product.tokens,
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
                  columns = randomColumns(random, type()), few = random.between(0, 8),
                  many = random.between(9, isChecked() ? 20 : 150), tokens = random.chance(0.5) ? few : many,
                  yStride = rows + random.between(0, 5),
                  padding = (activationTypeFor(type()) == TD_ACT8 ? 16 : 4) * random.between(0, 2);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "[" << rows << ", " << columns << "] x " << tokens);
    const Product product(random, type(), rows, columns, tokens);
    const EncodedTokens x = encode(product, padding);

    DeviceArray<unsigned char> tiles(device(), stream(), product.weights.tiles(), "weights"),
        xs(device(), stream(), x.bytes, "x");
    DeviceArray<float> biases(device(), stream(), product.bias, "bias");
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
      const auto expected = expectedOf(product, x, row, kSegments);
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
        Product product(random, type(), kRows, kColumns, tokens);
        if (zeros) std::ranges::fill(product.weights.plain, 0);
        const std::vector<float> good = multiply(product);
        const int64_t spoilt = random.between(0, tokens - 1);
        product.x[static_cast<size_t>(spoilt * kColumns + 100)] = bad;
        const std::vector<float> y = multiply(product);
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
    Product product(random, type(), kRows, kColumns, tokens);
    std::fill_n(product.x.begin(), kColumns, 0.0f);
    const std::vector<float> good = multiply(product);
    // All bits of a block's scale, or of an element.
    const Format& format = product.weights.format();
    const int64_t block = kColumns / format.blockElements - 1, inBlock = type() == TD_Q6_K ? 208 : 0;
    memset(&product.weights.plain[static_cast<size_t>(kSpoilt * plainRowBytes(format, kColumns) +
                                                      block * format.blockBytes + inBlock)],
           0xff, type() == TD_F32 ? 4 : 2);
    const std::vector<float> y = multiply(product);
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
