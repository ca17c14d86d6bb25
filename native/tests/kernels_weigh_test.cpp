// The exponential that draws are made with, over its range and bit by bit as Java has it, and the weights of runs.
#include <array>

#include "core/exponential.h"
#include "testing.h"

namespace td::testing {
namespace {

// ---- The exponential ----------------------------------------------------------------------------

TEST(Exponential64, WithinOneAndAHalfUnitsInTheLastPlace) {
  Random random("exponential64");
  double worst = 0, at = 0;
  for (int round = 0; round < rounds(300'000); ++round) {
    const double x = random.chance(0.3) ? random.uniform(-1, 1) * std::pow(10, random.uniform(-20, 0))
                                        : random.uniform(kLeastExponent, kMostExponent);
    const long double exact = std::exp(static_cast<long double>(x));
    const double unit = std::nextafter(static_cast<double>(exact), 1e308) - static_cast<double>(exact);
    const double error = static_cast<double>(std::abs(exponential(x) - exact)) / unit;
    if (!(error <= worst)) {
      worst = error;
      at = x;
    }
  }
  RecordProperty("worst_error_in_units", std::to_string(worst));
  EXPECT_LT(worst, 1.5) << "at " << at;
}

TEST(Exponential64, AtTheEnds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(1, exponential(0));
  EXPECT_EQ(1, exponential(-0.0));
  EXPECT_EQ(1, exponential(-1e-300));
  EXPECT_EQ(0, exponential(-kInfinity));
  EXPECT_EQ(0, exponential(-1e300));
  EXPECT_EQ(0, exponential(std::nextafter(-708.0, -709.0)));
  EXPECT_GT(exponential(-708), 0);
  EXPECT_EQ(exponential(709), exponential(kInfinity));
  EXPECT_TRUE(std::isfinite(exponential(kInfinity)));
  EXPECT_TRUE(std::isnan(exponential(std::nan(""))));
}

// ExponentialTest.java computes the same number from the same arguments: both functions have the same bits.
TEST(Exponential64, IsJavas) {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;
  uint64_t state = 1, hash = 0xcbf29ce484222325u;
  const auto add = [&](double x) {
    hash = (hash ^ std::bit_cast<uint64_t>(exponential(x))) * 0x100000001b3u;  // FNV-1a, a word at a time
  };
  for (int i = 0; i < 1'000'000; ++i) {
    uint64_t bits = state += kStep;  // SplitMix64
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
    const double uniform = static_cast<double>(bits >> 11) * 0x1p-53;
    add(i % 4 == 0 ? 720 - 1440 * uniform : i % 4 == 1 ? -uniform : i % 4 == 2 ? -20 * uniform : -uniform * 1e-9);
  }
  for (const double x : {0.0, -0.0, -708.0, 709.0, -1e300, 1e300, 0x1.62e42fefa39efp-1, -0x1.62e42fefa39efp-2}) add(x);
  EXPECT_EQ(0x1e20a919ac39c80fu, hash) << std::hex << hash;
}

// ---- Weights ------------------------------------------------------------------------------------

class Weigh : public OnEachIsa {};

// The sum of the lanes as docs/sampling.md describes it.
double sumOfLanes(std::span<const double> weights) {
  std::array<double, 8> lanes{};
  for (size_t i = 0; i < weights.size(); ++i) lanes[i % 8] += weights[i];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

TEST_P(Weigh, EveryElementIsTheExponentialAndOthersAreZero) {
  for (int round = 0; round < rounds(100); ++round) {
    Random random("weigh", static_cast<uint64_t>(round));
    const int64_t count = random.chance(0.3) ? random.between(1, 40) : random.between(1, kSelectRun);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << count << " logits");
    const int32_t firstId = static_cast<int32_t>(random.between(0, 30) * kSelectRun);
    std::vector<float> logits = random.normals(count, random.pick(std::initializer_list<double>{0.1, 3, 1000}));
    if (random.chance(0.5)) {
      for (float& logit : logits) logit = std::nearbyint(logit);
    }
    if (random.chance(0.2)) logits[static_cast<size_t>(random.between(0, count - 1))] = -3.4028235e38f;
    const auto place = [&] { return random.between(0, count - 1); };
    int64_t first = place(), last = place();
    const auto inOrder = [&](int64_t a, int64_t b) {
      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
      return x > y || (x == y && a <= b);
    };
    if (!inOrder(first, last)) std::swap(first, last);
    const KeptRange kept{logits[static_cast<size_t>(first)], firstId + static_cast<int32_t>(first),
                         logits[static_cast<size_t>(last)], firstId + static_cast<int32_t>(last)};
    const double factor = random.pick(std::initializer_list<double>{0, 1, 1.25, 1e-300, 1e30, 0.4});
    Poisoned<double> weights(count), all(count);
    const double sum = kernels().weigh(logits.data(), firstId, count, kept, factor, weights.data());
    kernels().exponentials(logits.data(), count, kept.firstLogit, factor, all.data());
    ASSERT_TRUE(weights.intact() && all.intact());
    for (int64_t i = 0; i < count; ++i) {
      const double argument =
          (static_cast<double>(logits[static_cast<size_t>(i)]) - static_cast<double>(kept.firstLogit)) * factor;
      ASSERT_EQ(exponential(argument), all[i]) << i;
      ASSERT_EQ(inOrder(first, i) && inOrder(i, last) ? all[i] : 0, weights[i]) << i;
    }
    ASSERT_EQ(sumOfLanes(weights), sum);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Weigh, ::testing::ValuesIn(isas()), isaOfTest);

}  // namespace
}  // namespace td::testing
