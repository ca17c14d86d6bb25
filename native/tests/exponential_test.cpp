// The exponential of cpu/simd.h over its whole range, by the scalar instruction set; the others must give its bits.
#define TD_ISA scalar
#include "core/kv_layout.h"
#include "cpu/simd.h"
#include "testing.h"

namespace td::testing {
namespace {

std::vector<float> exponentials(const std::vector<float>& x) {
  std::vector<float> out(16);
  scalar::store(out.data(), scalar::exponential(scalar::load(x.data())));
  return out;
}

float exponentialOf(float x) {
  return exponentials(std::vector<float>(16, x))[0];
}

// Every so many floats between two of one sign.
template <class Visit>
void sweep(float from, float to, uint32_t step, Visit visit) {
  const uint32_t first = std::min(std::bit_cast<uint32_t>(from), std::bit_cast<uint32_t>(to));
  const uint32_t last = std::max(std::bit_cast<uint32_t>(from), std::bit_cast<uint32_t>(to));
  std::vector<float> x(16);
  for (uint64_t bits = first; bits <= last; bits += uint64_t{16} * step) {
    for (uint32_t i = 0; i < 16; ++i)
      x[i] = std::bit_cast<float>(static_cast<uint32_t>(std::min<uint64_t>(bits + i * step, last)));
    const std::vector<float> out = exponentials(x);
    for (size_t i = 0; i < 16; ++i) visit(x[i], out[i]);
  }
}

TEST(Exponential, RelativeErrorBelowOneInTenMillionWhereTheResultIsNormal) {
  // From 2^-30 on, below which e^x is 1, so that the floats are dense where it matters.
  const uint32_t step = rounds(1) > 1 ? 1 : 599;  // all of them with TANDEM_LONG=1
  double worst = 0;
  float at = 0;
  const auto visit = [&](float x, float actual) {
    const double exact = std::exp(static_cast<double>(x)), error = std::abs(actual - exact) / exact;
    if (!(error <= worst)) {
      worst = error;
      at = x;
    }
  };
  sweep(0x1p-30f, 88.72283f, step, visit);
  sweep(-0x1p-30f, -87.33654f, step, visit);
  RecordProperty("worst_relative_error", std::to_string(worst * 1e9) + "e-9 at " + std::to_string(at));
  EXPECT_LT(worst, 1e-7) << "at " << at;
}

// Subnormal results are rounded once more: half a unit of 2^-149.
TEST(Exponential, SubnormalResultsAreRoundedOnce) {
  sweep(-87.33655f, -104.0f, 97, [](float x, float actual) {
    const double exact = std::exp(static_cast<double>(x));
    ASSERT_LE(std::abs(actual - exact), exact * 1e-7 + 0x1p-150) << x;
  });
}

// Attention over two positions: the first has score 0 and value 0, the second, with value 1, a score that the query
// chooses. What comes out is e^score to the last bit, subnormal or not.
class ExponentialOnEachIsa : public OnEachIsa {};

TEST_P(ExponentialOnEachIsa, HasTheBitsOfScalar) {
  std::vector<uint16_t> block(static_cast<size_t>(kvHeadElements(1)), 0);
  block[1] = block[kKvTokens + 1] = floatToHalf(1);
  const std::vector<const uint16_t*> blocks(kPiece / kKvTokens, block.data());
  const std::vector<int> counts(kAttentionRows, 2);
  Poisoned<float> queries(int64_t{kAttentionRows} * kAttentionStride), scratch(kAttentionScratch);
  std::vector<float> scores, largest(kAttentionRows), sum(kAttentionRows), out(kAttentionRows);
  int64_t subnormal = 0, different = 0;
  const auto compare = [&] {
    scores.resize(kAttentionRows, -1.0f);
    kernels().scaleQueries(scores.data(), kAttentionRows, 1, 1.0f, queries.data(),
                           int64_t{kAttentionRows} * kAttentionStride);
    kernels().attend({.q = queries.data(),
                      .qPanel = int64_t{kAttentionRows} * kAttentionStride,
                      .blocks = blocks.data(),
                      .nextBlocks = blocks.data(),
                      .rows = kAttentionRows,
                      .counts = counts.data(),
                      .headSize = 1,
                      .scratch = scratch.data(),
                      .result = {largest.data(), sum.data(), out.data()}});
    for (size_t i = 0; i < scores.size(); ++i) {
      if (std::bit_cast<uint32_t>(exponentialOf(scores[i])) != std::bit_cast<uint32_t>(out[i])) {
        if (++different <= 5)
          ADD_FAILURE() << scores[i] << ": " << out[i] << " instead of " << exponentialOf(scores[i]);
      }
      subnormal += out[i] > 0 && out[i] < 0x1p-126f;
    }
    scores.clear();
  };
  const auto visit = [&](float from, float to, uint32_t step) {
    for (uint32_t bits = std::bit_cast<uint32_t>(from); bits <= std::bit_cast<uint32_t>(to); bits += step) {
      scores.push_back(std::bit_cast<float>(bits));
      if (scores.size() == kAttentionRows) compare();
    }
  };
  const uint32_t step = rounds(1) > 1 ? 1 : 97;
  visit(-87.0f, -104.5f, step);
  visit(-0x1p-30f, -87.0f, 101 * step);
  visit(-104.5f, -1e30f, 10'007 * step);
  compare();
  EXPECT_EQ(0, different);
  EXPECT_GT(subnormal, 1000);
}

INSTANTIATE_TEST_SUITE_P(Isa, ExponentialOnEachIsa, ::testing::ValuesIn(isas()), isaOfTest);

TEST(Exponential, AtTheEnds) {
  EXPECT_EQ(1, exponentialOf(0));
  EXPECT_EQ(1, exponentialOf(-0.0f));
  EXPECT_EQ(1, exponentialOf(1e-45f));
  EXPECT_EQ(infinity(), exponentialOf(88.73f));
  EXPECT_EQ(infinity(), exponentialOf(1000));
  EXPECT_EQ(infinity(), exponentialOf(infinity()));
  EXPECT_EQ(0, exponentialOf(-104));
  EXPECT_EQ(0, exponentialOf(-3.4e38f));
  EXPECT_EQ(0, exponentialOf(-infinity()));
  EXPECT_FALSE(std::signbit(exponentialOf(-infinity())));
  EXPECT_TRUE(std::isnan(exponentialOf(notANumber())));
  EXPECT_TRUE(std::isnan(exponentialOf(-notANumber())));
  EXPECT_TRUE(std::isnan(exponentialOf(std::bit_cast<float>(0x7f800001u))));
}

}  // namespace
}  // namespace td::testing
