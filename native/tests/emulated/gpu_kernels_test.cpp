// The kernels for GPUs on the emulated device, raw and checked, in all orders of threads, against double precision.
#include <numeric>

#include "cuda/kernels/kernels.h"
#include "emulated/device_fixture.h"

namespace td::testing {
namespace {

class GpuKernelsTest : public ::testing::TestWithParam<bool> {
 protected:
  GpuKernelsTest() : open_({.checked = GetParam()}) {}

  const GpuKernels& kernels() const { return GetParam() ? checked::gpuKernels : raw::gpuKernels; }
  Device& device() { return open_.device; }
  Stream& stream() { return open_.stream; }

  void arrange(Random& random) {
    const Order order = random.pick(orders());
    stream().setOrder(order.order, order.seed + random.bits() % 1000);
  }

 private:
  OpenDevice open_;
};

INSTANTIATE_TEST_SUITE_P(Views, GpuKernelsTest, ::testing::Bool(),
                         [](const auto& info) { return std::string(info.param ? "Checked" : "Raw"); });

int64_t randomColumns(Random& random) {
  return random.chance(0.5) ? random.between(1, 70) : random.between(1, 1500);
}

// u = 2^-24. Of each thread's columns / 256 squares the sum rounds as often, then ten times on the way through the
// lanes and warps; the square root halves that; then the mean, epsilon, root, division and two products, and the
// residual's addition.
TEST_P(GpuKernelsTest, RmsNorm) {
  for (int round = 0; round < rounds(30); ++round) {
    Random random("gpu rmsNorm", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(0, 5), columns = randomColumns(random);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << rows << " x " << columns);
    const bool residual = random.chance(0.5), inPlace = random.chance(0.5);
    const double amplitude = std::pow(10, random.uniform(-10, 10));
    const std::vector<float> x = random.normals(rows * columns, amplitude),
                             more = random.normals(rows * columns, amplitude), weight = random.normals(columns);
    const auto epsilon = static_cast<float>(std::pow(10, random.uniform(-12, -1)));

    DeviceArray<float> xs(device(), stream(), x, "x"), residuals(device(), stream(), more, "residual"),
        weights(device(), stream(), weight, "weight"), fresh(device(), rows * columns, "out");
    const DeviceArray<float>& out = inPlace ? xs : fresh;
    const RmsNormCall call{.x = xs.input(),
                           .residual = residual ? residuals.input() : DeviceSpan<const float>{},
                           .weight = weights.readOnly(),
                           .sum = residual ? residuals.span() : DeviceSpan<float>{},
                           .out = out.span(),
                           .rows = rows,
                           .columns = columns,
                           .epsilon = epsilon};
    ASSERT_TRUE(ok(kernels().rmsNorm(&stream(), call)));
    ASSERT_TRUE(ok(stream().synchronize()));
    if (rows == 0) continue;
    const std::vector<float> result = out.read(stream()), sums = residuals.read(stream());
    for (int64_t row = 0; row < rows; ++row) {
      double squares = 0;
      const auto h = [&](int64_t i) {
        const auto at = static_cast<size_t>(row * columns + i);
        return residual ? x[at] + more[at] : x[at];
      };
      for (int64_t i = 0; i < columns; ++i) squares += static_cast<double>(h(i)) * h(i);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
      const double relative = (static_cast<double>(columns) / 512 + 16) * kRounding;
      for (int64_t i = 0; i < columns; ++i) {
        const auto at = static_cast<size_t>(row * columns + i);
        const double expected = h(i) * factor * weight[static_cast<size_t>(i)];
        ASSERT_TRUE(within(result[at], {expected, std::abs(expected) * relative + 0x1p-149})) << row << ", " << i;
        ASSERT_EQ(residual ? h(i) : more[at], sums[at]);
      }
    }
  }
}

TEST_P(GpuKernelsTest, RmsNormOfWhatIsNotFinite) {
  for (const float bad : {notANumber(), infinity(), 1e20f, -3e38f}) {
    std::vector<float> x(2 * 300, 1.0f);
    x[299] = bad;
    DeviceArray<float> xs(device(), stream(), x), weights(device(), stream(), std::vector<float>(300, 1));
    const RmsNormCall call{.x = xs.input(),
                           .residual = {},
                           .weight = weights.readOnly(),
                           .sum = {},
                           .out = xs.span(),
                           .rows = 2,
                           .columns = 300,
                           .epsilon = 1e-5f};
    ASSERT_TRUE(ok(kernels().rmsNorm(&stream(), call)));
    const std::vector<float> out = xs.read(stream());
    for (int i = 0; i < 300; ++i) {
      EXPECT_TRUE(std::isnan(out[static_cast<size_t>(i)])) << bad;
      EXPECT_TRUE(std::isfinite(out[static_cast<size_t>(300 + i)])) << bad;
    }
  }
}

TEST_P(GpuKernelsTest, SiluTimesAndAdd) {
  for (int round = 0; round < rounds(30); ++round) {
    Random random("gpu elementwise", static_cast<uint64_t>(round));
    arrange(random);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    const int64_t count = random.chance(0.1) ? 0 : randomColumns(random);
    std::vector<float> x = random.normals(count, std::pow(10, random.uniform(-3, 3)));
    const std::vector<float> y = random.normals(count);
    for (float& value : x) {
      if (random.chance(0.02)) value = random.pick(std::initializer_list<float>{-1000, -1e38f, 1e37f, 0, -0.0f});
    }
    DeviceArray<float> xs(device(), stream(), x, "x"), ys(device(), stream(), y, "y"), gated(device(), count, "gated");
    ASSERT_TRUE(ok(kernels().siluTimes(&stream(), {xs.input(), ys.input(), gated.span()})));
    ASSERT_TRUE(ok(kernels().add(&stream(), {xs.input(), ys.input(), xs.span()})));
    const std::vector<float> silu = gated.read(stream()), sum = xs.read(stream());
    for (size_t i = 0; i < x.size(); ++i) {
      const double a = x[i], b = y[i], expected = a / (1 + std::exp(-a)) * b;
      ASSERT_TRUE(within(silu[i], {expected, std::abs(expected) * 6 * kRounding + std::abs(b) * 2.61e-37}))
          << a << " " << b;
      ASSERT_EQ(x[i] + y[i], sum[i]);
    }
  }
}

}  // namespace
}  // namespace td::testing
