// Encoding of activations on the emulated device, raw and checked, in all orders of threads: the bits of the CPU's
// scalar kernel.
#include "core/activation.h"
#include "emulated/paged_cache.h"

namespace td::testing {
namespace {

using GpuEncodeTest = CacheKernelsTest;
INSTANTIATE_TEST_SUITE_P(Views, GpuEncodeTest, ::testing::Bool(), viewsOfTest);

// Rows with what encoding treats in its own way: equal scales, channels far larger than the rest, values around the
// least that counts, denormals, halves of a step, and now and then something that is not finite.
std::vector<float> activations(Random& random, int64_t columns) {
  std::vector<float> x = random.normals(columns, std::pow(10, random.uniform(-37, 36)));
  const auto blockwise = [&](auto change) {
    for (int64_t i = 0; i < columns; i += kActBlock) {
      const double factor = change();
      for (int64_t j = i; j < std::min(columns, i + kActBlock); ++j) {
        auto& value = x[static_cast<size_t>(j)];
        value = static_cast<float>(value * factor);
      }
    }
  };
  switch (random.integer(0, 6)) {
    case 0:  // all scales equal
      std::fill(x.begin(), x.end(), static_cast<float>(random.normal()));
      break;
    case 1:  // some equal
      for (float& value : x) value = static_cast<float>(random.integer(-3, 3));
      break;
    case 2:
      blockwise([&] { return random.chance(0.05) ? 1000 : 1; });
      break;
    case 3:  // around 2^-100, and denormal
      x = random.normals(columns, 0x1p-100);
      blockwise([&] { return random.pick(std::initializer_list<double>{1, 0x1p-1, 0x1p-30, 0x1p-45, 0x1p5}); });
      break;
    case 4:
      for (float& value : x) value = static_cast<float>(random.integer(-254, 254)) / 2;
      break;
    default:
      break;
  }
  if (random.chance(0.3)) {
    for (float& value : x) {
      if (random.chance(0.1)) value = random.pick(std::initializer_list<float>{0, -0.0f, 0x1p-140f, -0x1p-149f});
    }
  }
  if (random.chance(0.3)) {
    for (int i = random.integer(1, 3); i > 0; --i) {
      x[static_cast<size_t>(random.between(0, columns - 1))] =
          random.pick(std::initializer_list<float>{notANumber(), infinity(), -infinity()});
    }
  }
  return x;
}

int64_t randomColumns(Random& random) {
  const int64_t columns = random.chance(0.5) ? random.between(1, 200) : random.between(1, 6000);
  return random.chance(0.3) ? (columns + 3) / 4 * 4 : columns;
}

// Equal bit by bit, but any NaN equals any other in a block's scale and scaled sum.
void expectSame(const Act8Block& expected, const Act8Block& actual) {
  EXPECT_EQ(0, memcmp(expected.quants, actual.quants, sizeof expected.quants));
  EXPECT_TRUE(sameBits(expected.scale, actual.scale)) << expected.scale << " and " << actual.scale;
  EXPECT_TRUE(sameBits(expected.scaledSum, actual.scaledSum)) << expected.scaledSum << " and " << actual.scaledSum;
  EXPECT_EQ(expected.minusSum, actual.minusSum);
  EXPECT_EQ(expected.minusFirstSum, actual.minusFirstSum);
}

// A row that is finite has the CPU's bytes, all of them.
void expectSameRow(const uint8_t* expected, const uint8_t* actual, int64_t columns) {
  const Act8Row row(columns);
  const auto* expectedBlocks = reinterpret_cast<const Act8Block*>(expected);
  const auto* actualBlocks = reinterpret_cast<const Act8Block*>(actual);
  bool finite = true;
  for (int64_t i = 0; i < row.blocks; ++i) {
    SCOPED_TRACE(::testing::Message() << "block " << i);
    expectSame(expectedBlocks[i], actualBlocks[i]);
    finite &= std::isfinite(expectedBlocks[i].scale);
    if (::testing::Test::HasFailure()) return;
  }
  const auto* expectedRests = reinterpret_cast<const Act8Rest*>(expectedBlocks + row.blocks);
  const auto* actualRests = reinterpret_cast<const Act8Rest*>(actualBlocks + row.blocks);
  for (int64_t i = 0; i < row.rests; ++i) {
    SCOPED_TRACE(::testing::Message() << "rest " << i);
    ASSERT_EQ(expectedRests[i].index, actualRests[i].index);
    expectSame(expectedRests[i].block, actualRests[i].block);
    if (::testing::Test::HasFailure()) return;
  }
  if (finite) {
    ASSERT_EQ(0, memcmp(expected, actual, static_cast<size_t>(row.bytes())));
  }
}

TEST_P(GpuEncodeTest, Act8) {
  for (int round = 0; round < rounds(120); ++round) {
    Random random("gpu encode8", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(1, 3), columns = randomColumns(random), before = random.between(0, 3);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << rows << " x " << columns << ", " << before << " before");
    // At any multiple of four bytes.
    std::vector<float> x(static_cast<size_t>(before));
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> some = activations(random, columns);
      x.insert(x.end(), some.begin(), some.end());
    }
    const int64_t rowBytes = activationRowBytes(TD_ACT8, columns);
    const DeviceArray<float> xs(device(), stream(), x, "x");
    const DeviceArray<uint8_t> out(device(), stream(), std::vector<uint8_t>(static_cast<size_t>(rows * rowBytes), 0xff),
                                   "out");
    const DeviceAddress from = xs.address() + static_cast<DeviceAddress>(before) * sizeof(float);
    ASSERT_TRUE(ok(kernels().encode(
        &stream(),
        {.x = {from, rows * columns, "x"}, .out = out.span(), .rows = rows, .columns = columns, .type = TD_ACT8})));
    const std::vector<uint8_t> result = out.read(stream());
    for (int64_t row = 0; row < rows; ++row) {
      std::vector<uint8_t> expected(static_cast<size_t>(rowBytes));
      kernelsFor(TD_ISA_SCALAR)
          .encode8(&x[static_cast<size_t>(before + row * columns)], columns,
                   reinterpret_cast<Act8Block*>(expected.data()));
      SCOPED_TRACE(::testing::Message() << "row " << row);
      expectSameRow(expected.data(), &result[static_cast<size_t>(row * rowBytes)], columns);
      if (HasFailure()) return;
    }
  }
}

TEST_P(GpuEncodeTest, Bf16) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("gpu encodeBf16", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(1, 5), columns = randomColumns(random);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << rows << " x " << columns);
    std::vector<float> x;
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> some = activations(random, columns);
      x.insert(x.end(), some.begin(), some.end());
    }
    for (float& value : x) {
      if (random.chance(0.1)) value = std::bit_cast<float>(static_cast<uint32_t>(random.bits()));
    }
    const int64_t pitch = (columns + 1) / 2 * 2;
    const DeviceArray<float> xs(device(), stream(), x, "x");
    const DeviceArray<uint8_t> out(device(), stream(),
                                   std::vector<uint8_t>(static_cast<size_t>(2 * rows * pitch), 0xff), "out");
    ASSERT_TRUE(ok(kernels().encode(
        &stream(), {.x = xs.input(), .out = out.span(), .rows = rows, .columns = columns, .type = TD_ACTBF16})));
    const std::vector<uint8_t> result = out.read(stream());
    std::vector<uint16_t> expected(static_cast<size_t>(rows * pitch));
    for (int64_t row = 0; row < rows; ++row) {
      kernelsFor(TD_ISA_SCALAR)
          .encodeBf16(&x[static_cast<size_t>(row * columns)], columns, &expected[static_cast<size_t>(row * pitch)]);
    }
    ASSERT_EQ(0, memcmp(expected.data(), result.data(), result.size()));
  }
}

TEST_P(GpuEncodeTest, WhatCannotBeIsRefused) {
  const DeviceArray<float> x(device(), 8);
  const DeviceArray<uint8_t> out(device(), 256);
  const EncodeCall call{.x = x.input(), .out = out.span(), .rows = 1, .columns = 8, .type = TD_F16};
  EXPECT_TRUE(refuses(kernels().encode(&stream(), call), "TD_ACT8 or TD_ACTBF16"));
  const EncodeCall wide{.x = x.input(), .out = out.span(), .rows = 1, .columns = 1 << 20, .type = TD_ACT8};
  EXPECT_TRUE(refuses(kernels().encode(&stream(), wide), "330,000 columns"));
}

}  // namespace
}  // namespace td::testing
