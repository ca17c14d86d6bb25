// Kernels that treat a row by itself, on every instruction set, against double precision. All give the same bits
// everywhere.
#include <algorithm>
#include <numeric>

#include "core/half.h"
#include "testing.h"

namespace td::testing {
namespace {

class RowKernels : public OnEachIsa {
 protected:
  const Kernels& scalar() const { return kernelsFor(TD_ISA_SCALAR); }
};

int64_t randomCount(Random& random) {
  return random.chance(0.3) ? random.between(1, 40) : random.between(1, 3000);
}

// Activations of all sizes that a float has, among them zeros, subnormals and rows of one sign.
std::vector<float> randomActivations(Random& random, int64_t count) {
  std::vector<float> x = random.normals(count, std::pow(10, random.uniform(-38, 37)));
  for (float& value : x) {
    if (random.chance(0.05)) value = 0;
    if (random.chance(0.02)) value = random.chance(0.5) ? 0x1p-149f : -0x1p-130f;
  }
  if (random.chance(0.2)) {
    for (float& value : x) value = std::abs(value);
  }
  return x;
}

// A row of TD_ACT8 as the kernel wrote it.
class EncodedRow {
 public:
  EncodedRow(const Kernels& kernels, const std::vector<float>& x)
      : layout_(static_cast<int64_t>(x.size())), bytes_(layout_.bytes()) {
    kernels.encode8(x.data(), static_cast<int64_t>(x.size()), reinterpret_cast<Act8Block*>(bytes_.data()));
  }

  bool intact() const { return bytes_.intact(); }
  int64_t blocks() const { return layout_.blocks; }
  int64_t rests() const { return layout_.rests; }
  const Act8Block& block(int64_t i) const { return reinterpret_cast<const Act8Block*>(bytes_.data())[i]; }
  const Act8Rest& rest(int64_t i) const {
    return reinterpret_cast<const Act8Rest*>(bytes_.data() +
                                             layout_.blocks * static_cast<int64_t>(sizeof(Act8Block)))[i];
  }

 private:
  Act8Row layout_;
  Poisoned<uint8_t> bytes_;
};

// The sums that a block carries are those of its quants. Returns the largest quant.
int checkSums(const Act8Block& block) {
  int sum = 0, firstSum = 0, largest = 0;
  for (int i = 0; i < 32; ++i) {
    sum += block.quants[i];
    if (i < 16) firstSum += block.quants[i];
    largest = std::max(largest, std::abs(block.quants[i]));
  }
  EXPECT_EQ(-sum, block.minusSum);
  EXPECT_EQ(-firstSum, block.minusFirstSum);
  EXPECT_EQ(block.scale * static_cast<float>(sum), block.scaledSum);
  return largest;
}

bool sameBlocks(const Act8Block& a, const Act8Block& b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

TEST_P(RowKernels, Encode8KeepsEveryValueWithinHalfAStep) {
  for (int round = 0; round < rounds(150); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("encode8", static_cast<uint64_t>(round));
    const int64_t columns = randomCount(random);
    const std::vector<float> x = randomActivations(random, columns);
    const EncodedRow out(kernels(), x), other(scalar(), x);
    ASSERT_TRUE(out.intact());
    for (int64_t b = 0; b < out.blocks(); ++b) {
      const Act8Block& block = out.block(b);
      double largest = 0;
      for (int64_t i = 32 * b; i < std::min(columns, 32 * b + 32); ++i) {
        largest = std::max<double>(largest, std::abs(x[static_cast<size_t>(i)]));
      }
      EXPECT_NEAR(largest / 127, block.scale, largest / 127 * kRounding + 0x1p-149);
      // A block whose largest value is below 2^-100 counts as zeros.
      EXPECT_EQ(largest > 0x1p-100 ? 127 : 0, checkSums(block));
      for (int i = 0; i < 32; ++i) {
        const double value = 32 * b + i < columns ? x[static_cast<size_t>(32 * b + i)] : 0.0;
        // Beside the half step: the roundings of 127 / largest, of the product and of the scale.
        const double tolerance =
            std::max(largest / 127 * (0.5 + 127 * 4 * kRounding), largest > 0x1p-100 ? 0 : 0x1p-100);
        ASSERT_NEAR(value, static_cast<double>(block.scale) * block.quants[i], tolerance) << "element " << 32 * b + i;
      }
      ASSERT_TRUE(sameBlocks(block, other.block(b))) << "unlike scalar";
    }
  }
}

// The one in sixteen blocks with the largest scales, of equal ones the first, are encoded again 254 times finer.
TEST_P(RowKernels, Encode8EncodesTheRestOfTheCoarsestBlocks) {
  for (int round = 0; round < rounds(150); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("encode8 rests", static_cast<uint64_t>(round));
    std::vector<float> x = randomActivations(random, randomCount(random));
    if (random.chance(0.3)) std::fill(x.begin(), x.end(), 1.0f);  // all scales equal
    if (random.chance(0.3)) x[static_cast<size_t>(random.between(0, static_cast<int64_t>(x.size()) - 1))] *= 1000;
    // A thousand times a large number may be infinite, and then the whole row is NaN.
    if (!std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); })) continue;
    const EncodedRow out(kernels(), x), other(scalar(), x);
    ASSERT_TRUE(out.intact());
    ASSERT_EQ((out.blocks() + 15) / 16, out.rests());

    std::vector<int32_t> expected(static_cast<size_t>(out.blocks()));
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(),
                     [&](int a, int b) { return out.block(a).scale > out.block(b).scale; });
    expected.resize(static_cast<size_t>(out.rests()));
    std::sort(expected.begin(), expected.end());

    for (int64_t j = 0; j < out.rests(); ++j) {
      const Act8Rest& rest = out.rest(j);
      ASSERT_EQ(expected[static_cast<size_t>(j)], rest.index) << "place " << j;
      const Act8Block& coarse = out.block(rest.index);
      checkSums(rest.block);
      for (int64_t i = 0; i < 32; ++i) {
        const int64_t at = 32 * int64_t{rest.index} + i;
        const double value = at < static_cast<int64_t>(x.size()) ? x[static_cast<size_t>(at)] : 0.0;
        const double both = static_cast<double>(coarse.scale) * coarse.quants[i] +
                            static_cast<double>(rest.block.scale) * rest.block.quants[i];
        // Half a fine step; the coarse scale's own rounding counts 127 times.
        const double tolerance = coarse.scale / 254.0 * 0.51 + 127 * 4 * kRounding * coarse.scale + 0x1p-98;
        ASSERT_NEAR(value, both, tolerance) << "element " << at;
      }
      ASSERT_EQ(rest.index, other.rest(j).index) << "unlike scalar";
      ASSERT_TRUE(sameBlocks(rest.block, other.rest(j).block)) << "unlike scalar";
    }
  }
}

TEST_P(RowKernels, Encode8PoisonsBlocksThatAreNotFinite) {
  for (int position = 0; position < 70; ++position) {
    for (const float bad : {notANumber(), infinity(), -infinity()}) {
      std::vector<float> x(70, 1.5f);
      x[static_cast<size_t>(position)] = bad;
      const EncodedRow out(kernels(), x);
      for (int block = 0; block < 3; ++block) {
        EXPECT_EQ(block == position / 32, std::isnan(out.block(block).scale)) << position;
        EXPECT_EQ(block == position / 32, std::isnan(out.block(block).scaledSum)) << position;
      }
    }
  }
}

TEST_P(RowKernels, EncodeBf16RoundsToNearestEvenAndPadsToPairs) {
  for (int round = 0; round < rounds(50); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("encodeBf16", static_cast<uint64_t>(round));
    const int64_t columns = randomCount(random);
    std::vector<float> x = randomActivations(random, columns);
    for (float& value : x) {
      if (random.chance(0.1))
        value = random.pick(std::initializer_list<float>{notANumber(), infinity(), -infinity(), 3.4e38f});
    }
    Poisoned<uint16_t> out((columns + 1) / 2 * 2);
    kernels().encodeBf16(x.data(), columns, out.data());
    ASSERT_TRUE(out.intact());
    for (int64_t i = 0; i < columns; ++i) {
      ASSERT_TRUE(sameBits(bf16ToFloat(floatToBf16(x[static_cast<size_t>(i)])), bf16ToFloat(out[i])))
          << x[static_cast<size_t>(i)];
    }
    if (columns % 2 != 0) {
      EXPECT_EQ(0, out[columns]);
    }
  }
}

// u = 2^-24. The sum of n squares in 16 lanes has n/16 + 5 roundings, each of relative size u, all of one sign; the
// square root halves that; then come the mean, epsilon, root, division and two products.
TEST_P(RowKernels, RmsNorm) {
  for (int round = 0; round < rounds(150); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("rmsNorm", static_cast<uint64_t>(round));
    const int64_t columns = randomCount(random);
    const std::vector<float> x = random.normals(columns, std::pow(10, random.uniform(-10, 10))),
                             weight = random.normals(columns);
    const float epsilon = static_cast<float>(random.chance(0.2) ? 0 : std::pow(10, random.uniform(-12, -1)));
    double squares = 0;
    for (const float value : x) squares += static_cast<double>(value) * value;
    const double factor = 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
    Poisoned<float> out(columns), other(columns);
    kernels().rmsNorm(x.data(), weight.data(), columns, epsilon, out.data());
    ASSERT_TRUE(out.intact());
    const double relative = (static_cast<double>(columns) / 32 + 10) * kRounding;
    for (int64_t i = 0; i < columns; ++i) {
      const double expected = x[static_cast<size_t>(i)] * factor * weight[static_cast<size_t>(i)];
      ASSERT_TRUE(within(out[i], {expected, std::abs(expected) * relative})) << i;
    }
    scalar().rmsNorm(x.data(), weight.data(), columns, epsilon, other.data());
    ASSERT_TRUE(sameBits(out, other)) << "unlike scalar";
    std::vector<float> inPlace = x;
    kernels().rmsNorm(inPlace.data(), weight.data(), columns, epsilon, inPlace.data());
    ASSERT_TRUE(sameBits(out, inPlace)) << "in place";
  }
}

TEST_P(RowKernels, RmsNormOfZerosAndOfWhatIsNotFinite) {
  const std::vector<float> zeros(37, 0.0f), ones(37, 1.0f);
  Poisoned<float> out(37);
  kernels().rmsNorm(zeros.data(), ones.data(), 37, 1e-5f, out.data());
  for (const float value : out) EXPECT_EQ(0, value);
  // Finite values whose squares are not are no better.
  for (const float bad : {notANumber(), infinity(), 1e20f, -3e38f}) {
    std::vector<float> x(37, 1.0f);
    x[36] = bad;
    kernels().rmsNorm(x.data(), ones.data(), 37, 1e-5f, out.data());
    for (const float value : out) EXPECT_TRUE(std::isnan(value)) << bad;
  }
}

// Bit by bit what plain loops give: two products and a sum, each rounded once.
TEST_P(RowKernels, RopeGivesTheBitsOfPlainLoops) {
  for (int round = 0; round < rounds(300); ++round) {
    Random random("rope bits", static_cast<uint64_t>(round));
    const int64_t heads = random.between(1, 40), headSize = random.between(2, 140),
                  pairs = random.between(0, headSize / 2);
    const auto layout = random.chance(0.7) ? TD_ROPE_NORM : TD_ROPE_NEOX;
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << heads << " heads of " << headSize << ", " << pairs << " pairs, layout " << layout);
    std::vector<float> expected = randomActivations(random, heads * headSize);
    if (random.chance(0.2)) expected[0] = infinity();
    std::vector<float> angles = random.normals(2 * pairs);
    for (float& angle : angles) {
      if (random.chance(0.1)) angle = random.pick(std::initializer_list<float>{0, -0.0f, 1, -1, 0x1p-140f});
    }
    Poisoned<float> out(heads * headSize);
    std::copy(expected.begin(), expected.end(), out.begin());
    kernels().rope(out.data(), heads, headSize, angles.data(), pairs, layout);
    ASSERT_TRUE(out.intact());
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < pairs; ++i) {
        float* x = expected.data() + head * headSize;
        float &a = layout == TD_ROPE_NORM ? x[2 * i] : x[i], &b = layout == TD_ROPE_NORM ? x[2 * i + 1] : x[i + pairs];
        const float cosine = angles[static_cast<size_t>(2 * i)], sine = angles[static_cast<size_t>(2 * i + 1)];
        const float first = a * cosine, second = b * sine, third = a * sine, fourth = b * cosine;
        a = first - second;
        b = third + fourth;
      }
    }
    ASSERT_TRUE(sameBits(out, expected));
  }
}

// Two products and a sum, each rounded once.
TEST_P(RowKernels, RopeRotatesThePairsAndLeavesTheRest) {
  for (int round = 0; round < rounds(150); ++round) {
    Random random("rope", static_cast<uint64_t>(round));
    const int64_t heads = random.between(1, 9), headSize = random.between(2, 130),
                  pairs = random.between(0, headSize / 2);
    const auto layout = random.chance(0.5) ? TD_ROPE_NORM : TD_ROPE_NEOX;
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << heads << " heads of " << headSize << ", " << pairs << " pairs, layout " << layout);
    const std::vector<float> x = random.normals(heads * headSize);
    std::vector<float> angles;
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = random.uniform(-10, 10);
      angles.push_back(static_cast<float>(std::cos(angle)));
      angles.push_back(static_cast<float>(std::sin(angle)));
    }
    Poisoned<float> out(heads * headSize), other(heads * headSize);
    std::copy(x.begin(), x.end(), out.begin());
    std::copy(x.begin(), x.end(), other.begin());
    kernels().rope(out.data(), heads, headSize, angles.data(), pairs, layout);
    ASSERT_TRUE(out.intact());
    for (int64_t i = 0; i < heads * headSize; ++i) {
      const int64_t in = i % headSize, head = i - in;
      if (in >= 2 * pairs) {
        ASSERT_EQ(x[static_cast<size_t>(i)], out[i]) << i;
        continue;
      }
      const int64_t pair = layout == TD_ROPE_NORM ? in / 2 : in % pairs;
      const int64_t a = layout == TD_ROPE_NORM ? 2 * pair : pair,
                    b = layout == TD_ROPE_NORM ? 2 * pair + 1 : pair + pairs;
      const double first = x[static_cast<size_t>(head + a)], second = x[static_cast<size_t>(head + b)];
      const double cosine = angles[static_cast<size_t>(2 * pair)], sine = angles[static_cast<size_t>(2 * pair + 1)];
      const double expected = in == a ? first * cosine - second * sine : first * sine + second * cosine;
      ASSERT_TRUE(within(out[i], {expected, 2 * kRounding * (std::abs(first) + std::abs(second))})) << i;
    }
    scalar().rope(other.data(), heads, headSize, angles.data(), pairs, layout);
    ASSERT_TRUE(sameBits(out, other)) << "unlike scalar";
  }
}

TEST_P(RowKernels, SiluAddAndDivide) {
  for (int round = 0; round < rounds(150); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("elementwise", static_cast<uint64_t>(round));
    const int64_t count = random.chance(0.1) ? 0 : randomCount(random);
    const std::vector<float> x = random.normals(count, std::pow(10, random.uniform(-3, 3))), y = random.normals(count);
    const float divisor = static_cast<float>(random.normal());
    Poisoned<float> silu(count), sum(count), quotient(count), other(count);
    kernels().silu(x.data(), y.data(), silu.data(), count);
    kernels().add(x.data(), y.data(), sum.data(), count);
    kernels().divide(quotient.data(), x.data(), divisor, count);
    ASSERT_TRUE(silu.intact());
    ASSERT_TRUE(sum.intact());
    ASSERT_TRUE(quotient.intact());
    for (int64_t i = 0; i < count; ++i) {
      const double a = x[static_cast<size_t>(i)], b = y[static_cast<size_t>(i)];
      const double expected = a / (1 + std::exp(-a)) * b;
      // The exponential, and three roundings; below -88.7228 the exponential is infinite and the gate 0.
      ASSERT_TRUE(within(silu[i], {expected, std::abs(expected) * 6 * kRounding + std::abs(b) * 2.61e-37}))
          << a << " " << b;
      ASSERT_EQ(x[static_cast<size_t>(i)] + y[static_cast<size_t>(i)], sum[i]);
      ASSERT_EQ(x[static_cast<size_t>(i)] / divisor, quotient[i]);
    }
    scalar().silu(x.data(), y.data(), other.data(), count);
    ASSERT_TRUE(sameBits(silu, other)) << "unlike scalar";
  }
}

TEST_P(RowKernels, SiluAtTheEnds) {
  const std::vector<float> x = {0,    -0.0f, 1e38f,  -1e38f,     1000,         -1000, 100,
                                -100, 88.8f, -88.8f, infinity(), notANumber(), 1e-45f};
  const std::vector<float> ones(x.size(), 1.0f);
  Poisoned<float> out(static_cast<int64_t>(x.size()));
  kernels().silu(x.data(), ones.data(), out.data(), static_cast<int64_t>(x.size()));
  const std::vector<float> expected = {0,     -0.0f, 1e38f, -0.0f,      1000,         -0.0f, 100,
                                       -0.0f, 88.8f, -0.0f, infinity(), notANumber(), 0};
  EXPECT_TRUE(sameBits(std::span<const float>(out).first(12), std::span(expected).first(12)));
  EXPECT_LE(std::abs(out[12]), 1e-45f);
}

// Each exponential is within 1e-7 (exponential_test.cpp) plus the rounding of its argument, each sum of a lane rounds
// once per 16 logits.
TEST_P(RowKernels, ScanLogits) {
  for (int round = 0; round < rounds(150); ++round) {
    Random random("scanLogits", static_cast<uint64_t>(round));
    const int64_t count = random.chance(0.3) ? random.between(1, 130) : random.between(1, kSelectRun);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << count << " logits");
    std::vector<float> logits = random.normals(count, std::pow(10, random.uniform(-2, 2)));
    const float shift = static_cast<float>(random.uniform(-1000, 1000));
    for (float& logit : logits) logit += shift;
    if (random.chance(0.1)) logits.assign(static_cast<size_t>(count), shift);
    const int64_t groups = (count + kSelectGroup - 1) / kSelectGroup;
    Poisoned<float> largest(groups), other(groups);
    const LogitRun run = kernels().scanLogits(logits.data(), count, largest.data());
    ASSERT_TRUE(largest.intact());
    for (int64_t group = 0; group < groups; ++group) {
      const auto first = logits.begin() + group * kSelectGroup,
                 end = logits.begin() + std::min(count, (group + 1) * kSelectGroup);
      ASSERT_EQ(*std::max_element(first, end), largest[group]) << group;
    }
    ASSERT_TRUE(run.finite);
    ASSERT_EQ(*std::max_element(logits.begin(), logits.end()), run.largest);
    double sum = 0, error = 0;
    for (const float logit : logits) {
      const double argument = static_cast<double>(logit) - run.largest, e = std::exp(argument);
      sum += e;
      error += e * (1e-7 + std::abs(argument) * kRounding);
    }
    const double relative = (static_cast<double>(count) / 16 + 5) * kRounding;
    ASSERT_TRUE(within(run.sum, {sum, sum * relative + error}));
    const LogitRun same = scalar().scanLogits(logits.data(), count, other.data());
    ASSERT_TRUE(sameBits(run.sum, same.sum) && sameBits(largest, other)) << "unlike scalar";
  }
}

TEST_P(RowKernels, ScanLogitsFindsWhatIsNotFiniteAnywhere) {
  std::vector<float> logits(200, 3.0f);
  std::vector<float> groups(4);
  for (size_t position = 0; position < logits.size(); ++position) {
    for (const float bad : {notANumber(), -notANumber(), infinity(), -infinity()}) {
      logits[position] = bad;
      for (const int64_t count : {int64_t{200}, static_cast<int64_t>(position) + 1}) {
        EXPECT_FALSE(kernels().scanLogits(logits.data(), count, groups.data()).finite)
            << bad << " at " << position << " of " << count;
      }
      // What lies behind the end does not matter.
      if (position > 0) {
        EXPECT_TRUE(kernels().scanLogits(logits.data(), static_cast<int64_t>(position), groups.data()).finite)
            << position;
      }
    }
    logits[position] = 3;
  }
  // The largest floats are finite, though their differences are not.
  logits[7] = 3.4e38f;
  logits[9] = -3.4e38f;
  const LogitRun run = kernels().scanLogits(logits.data(), 200, groups.data());
  EXPECT_TRUE(run.finite);
  EXPECT_EQ(1, run.sum);
}

INSTANTIATE_TEST_SUITE_P(Isa, RowKernels, ::testing::ValuesIn(isas()), isaOfTest);

}  // namespace
}  // namespace td::testing
