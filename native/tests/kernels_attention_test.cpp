// The kernels of attention, on every instruction set, against double precision.
#include <algorithm>

#include "core/kv_layout.h"
#include "testing.h"

namespace td::testing {
namespace {

// One KV head's blocks. Slots that nobody stored to hold NaN.
class Cache {
 public:
  Cache(const Kernels& kernels, Random& random, int headSize, int count) : headSize_(headSize) {
    const double size = std::pow(10, random.uniform(-2, 1));
    for (int position = 0; position < count; ++position) {
      if (position % kKvTokens == 0)
        blocks_.emplace_back(static_cast<size_t>(kvHeadElements(headSize)), uint16_t{0xffff});
      const std::vector<float> k = random.normals(headSize, size), v = random.normals(headSize, size);
      kernels.storeKv(k.data(), v.data(), headSize, position % kKvTokens, blocks_.back().data());
    }
    for (const auto& block : blocks_) pointers_.push_back(block.data());
  }

  const uint16_t* const* blocks() const { return pointers_.data(); }
  double k(int position, int d) const {
    return halfToFloat(
        blocks_[static_cast<size_t>(position / kKvTokens)][static_cast<size_t>(d * kKvTokens + position % kKvTokens)]);
  }
  double v(int position, int d) const {
    const int at = kKvTokens * headSize_ + position % kKvTokens * headSize_ + d;
    return halfToFloat(blocks_[static_cast<size_t>(position / kKvTokens)][static_cast<size_t>(at)]);
  }

 private:
  int headSize_;
  std::vector<std::vector<uint16_t>> blocks_;
  std::vector<const uint16_t*> pointers_;
};

struct Result {
  Poisoned<float> largest, sum, out;
  Result(int rows, int headSize) : largest(rows), sum(rows), out(int64_t{rows} * headSize) {}

  AttentionResult from(int row, int headSize) const {
    return {largest.data() + row, sum.data() + row, out.data() + row * headSize};
  }
  bool intact() const { return largest.intact() && sum.intact() && out.intact(); }
};

// Query rows of which each reaches as many positions as `counts` says, up to `most` rows at a time.
void attend(const Kernels& kernels, const Cache& cache, const std::vector<float>& q, const std::vector<int>& counts,
            int headSize, float scale, const Result& result, int most = kAttentionRows) {
  const auto rows = static_cast<int>(counts.size());
  const int64_t qPanel = int64_t{rows} * kAttentionStride;
  Poisoned<float> scaled((headSize + kAttentionPanel - 1) / kAttentionPanel * qPanel);
  kernels.scaleQueries(q.data(), rows, headSize, scale, scaled.data(), qPanel);
  ASSERT_TRUE(scaled.intact());
  for (int row = 0; row < rows; row += most) {
    Poisoned<float> scratch(kAttentionScratch);
    kernels.attend({.q = scaled.data() + row * kAttentionStride,
                    .qPanel = qPanel,
                    .blocks = cache.blocks(),
                    .nextBlocks = cache.blocks(),
                    .rows = std::min(most, rows - row),
                    .counts = counts.data() + row,
                    .headSize = headSize,
                    .scratch = scratch.data(),
                    .result = result.from(row, headSize)});
    ASSERT_TRUE(scratch.intact());
  }
  ASSERT_TRUE(result.intact());
}

// Heads of one token.
void attend(const Kernels& kernels, const Cache& cache, const std::vector<float>& q, int heads, int headSize, int count,
            float scale, const Result& result) {
  attend(kernels, cache, q, std::vector<int>(static_cast<size_t>(heads), count), headSize, scale, result);
}

class AttentionKernels : public OnEachIsa {};

// u = 2^-24. A score is a chain of headSize fused multiply-adds of a rounded product: (headSize + 2) u sum|q k|. It
// enters the exponential as an absolute error, so as a relative one of the weight; the exponential adds 1e-7, the
// subtraction of the largest u times the difference. The sums round once per position (sum: once per 16).
TEST_P(AttentionKernels, OnePiece) {
  static constexpr int kHeadSizes[] = {8, 16, 24, 64, 80, 96, 100, 128, 256, 1, 5, 257, 320};
  for (int round = 0; round < rounds(120); ++round) {
    Random random("attend", static_cast<uint64_t>(round));
    const int headSize = random.pick(kHeadSizes), heads = random.integer(1, 9);
    const int count =
        random.chance(0.2) ? random.pick(std::initializer_list<int>{1, 15, 16, 17, 255, 256}) : random.integer(1, 256);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << heads << " heads of " << headSize << " against " << count << " positions");
    const Cache cache(kernels(), random, headSize, count);
    const std::vector<float> q = random.normals(heads * headSize, std::pow(10, random.uniform(-1, 0.5)));
    const float scale = static_cast<float>(1 / std::sqrt(headSize));
    const Result result(heads, headSize), other(heads, headSize);
    attend(kernels(), cache, q, heads, headSize, count, scale, result);
    for (int head = 0; head < heads; ++head) {
      std::vector<Bounded> scores, weights;
      for (int j = 0; j < count; ++j) {
        double score = 0, sizes = 0;
        for (int d = 0; d < headSize; ++d) {
          const double product =
              static_cast<double>(q[static_cast<size_t>(head * headSize + d)]) * scale * cache.k(j, d);
          score += product;
          sizes += std::abs(product);
        }
        scores.push_back({score, (headSize + 2) * kRounding * sizes});
      }
      const auto largest =
          std::max_element(scores.begin(), scores.end(), [](auto a, auto b) { return a.value < b.value; });
      double tolerance = 0;
      for (const Bounded& score : scores) tolerance = std::max(tolerance, score.tolerance);
      ASSERT_TRUE(within(result.largest[head], {largest->value, tolerance}));
      Bounded sum;
      for (const Bounded& score : scores) {
        const double difference = score.value - result.largest[head], p = std::exp(difference);
        weights.push_back({p, p * (score.tolerance + std::abs(difference) * kRounding + 1e-7)});
        sum.value += p;
        sum.tolerance += weights.back().tolerance;
      }
      sum.tolerance += (count / 16.0 + 5) * kRounding * sum.value;
      ASSERT_TRUE(within(result.sum[head], sum)) << "head " << head;
      for (int d = 0; d < headSize; ++d) {
        Bounded out;
        for (int j = 0; j < count; ++j) {
          const double v = cache.v(j, d), p = weights[static_cast<size_t>(j)].value;
          out.value += p * v;
          out.tolerance += std::abs(v) * (weights[static_cast<size_t>(j)].tolerance + count * kRounding * p + 0x1p-148);
        }
        ASSERT_TRUE(within(result.out[head * headSize + d], out)) << "head " << head << ", dimension " << d;
      }
    }
    attend(kernelsFor(TD_ISA_SCALAR), cache, q, heads, headSize, count, scale, other);
    ASSERT_TRUE(sameBits(result.largest, other.largest) && sameBits(result.sum, other.sum)) << "unlike scalar";
    ASSERT_TRUE(sameBits(result.out, other.out)) << "unlike scalar";
    // However many heads share the reading of K and V.
    for (int head = 0; head < heads; ++head) {
      const std::vector<float> one(q.begin() + head * headSize, q.begin() + (head + 1) * headSize);
      const Result single(1, headSize);
      attend(kernels(), cache, one, 1, headSize, count, scale, single);
      ASSERT_TRUE(sameBits(single.sum[0], result.sum[head]) && sameBits(single.largest[0], result.largest[head]));
      ASSERT_TRUE(sameBits(
          single.out,
          std::span<const float>(result.out).subspan(static_cast<size_t>(head * headSize), single.out.size())));
    }
  }
}

// Rows that end at different positions, as the tokens of a prompt do, however many of them share a call, against each
// by itself. What lies beyond a row's end may be NaN, there too where other rows go on.
TEST_P(AttentionKernels, RowsThatEndApart) {
  static constexpr int kHeadSizes[] = {8, 40, 64, 80, 100, 128, 272};
  for (int round = 0; round < rounds(100); ++round) {
    Random random("attend rows", static_cast<uint64_t>(round));
    const int headSize = random.pick(kHeadSizes), heads = random.integer(1, 8), tokens = random.integer(1, 12);
    const int first = random.integer(1, kPiece);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << tokens << " tokens from " << first << " of " << heads << " heads of " << headSize);
    std::vector<int> counts;
    for (int row = 0; row < tokens * heads; ++row) counts.push_back(std::min(first + row / heads, kPiece));
    const auto rows = static_cast<int>(counts.size());
    const Cache cache(kernels(), random, headSize, counts.back());
    const bool spoiled = random.chance(0.3);
    if (spoiled) {
      const std::vector<float> bad(static_cast<size_t>(headSize), notANumber());
      kernels().storeKv(bad.data(), bad.data(), headSize, (counts.back() - 1) % kKvTokens,
                        const_cast<uint16_t*>(cache.blocks()[(counts.back() - 1) / kKvTokens]));
    }
    const std::vector<float> q = random.normals(int64_t{rows} * headSize);
    const Result result(rows, headSize), some(rows, headSize), other(rows, headSize);
    attend(kernels(), cache, q, counts, headSize, 0.3f, result);
    for (int row = 0; row < rows; ++row) {
      const Result single(1, headSize);
      attend(kernels(), cache, {q.begin() + row * headSize, q.begin() + (row + 1) * headSize},
             {counts[static_cast<size_t>(row)]}, headSize, 0.3f, single);
      const Result& all = result;
      ASSERT_TRUE(sameBits(single.sum[0], all.sum[row]) && sameBits(single.largest[0], all.largest[row])) << row;
      ASSERT_TRUE(sameBits(
          single.out, std::span<const float>(all.out).subspan(static_cast<size_t>(row * headSize), single.out.size())))
          << "row " << row;
      ASSERT_EQ(spoiled && counts[static_cast<size_t>(row)] == counts.back(), std::isnan(single.sum[0])) << row;
    }
    attend(kernels(), cache, q, counts, headSize, 0.3f, some, random.integer(1, kAttentionRows));
    ASSERT_TRUE(sameBits(result.sum, some.sum) && sameBits(result.out, some.out));
    attend(kernelsFor(TD_ISA_SCALAR), cache, q, counts, headSize, 0.3f, other);
    ASSERT_TRUE(sameBits(result.sum, other.sum) && sameBits(result.out, other.out)) << "unlike scalar";
  }
}

TEST_P(AttentionKernels, NotANumberInTheCacheOrTheQueryIsSeen) {
  Random random("attend NaN");
  for (const float bad : {notANumber(), infinity()}) {
    for (int position = 0; position < 40; position += 3) {
      const int headSize = 20;
      Cache cache(kernels(), random, headSize, 40);
      std::vector<float> row(20, 0.5f);
      row[7] = bad;
      kernels().storeKv(row.data(), row.data(), headSize, position % kKvTokens,
                        const_cast<uint16_t*>(cache.blocks()[position / kKvTokens]));
      const Result result(2, headSize);
      attend(kernels(), cache, random.normals(2 * headSize), 2, headSize, 40, 1, result);
      // Dimension 7 is spoiled even if the key's infinity made the weight 0: 0 * infinity is NaN.
      EXPECT_FALSE(std::isfinite(result.out[7]) && std::isfinite(result.sum[0])) << bad << " at " << position;
      EXPECT_FALSE(std::isfinite(result.out[headSize + 7]) && std::isfinite(result.sum[1]))
          << bad << " at " << position;
    }
  }
}

TEST_P(AttentionKernels, StoreKvRoundsToHalfAndTouchesItsSlotOnly) {
  for (int round = 0; round < rounds(100); ++round) {
    Random random("storeKv", static_cast<uint64_t>(round));
    const int headSize = random.integer(1, 256), slot = random.integer(0, 15);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "head size " << headSize << ", slot " << slot);
    const double size = std::pow(10, random.uniform(-8, 5));
    const std::vector<float> k = random.normals(headSize, size), v = random.normals(headSize, size);
    Poisoned<uint16_t> block(kvHeadElements(headSize));
    kernels().storeKv(k.data(), v.data(), headSize, slot, block.data());
    ASSERT_TRUE(block.intact());
    for (int position = 0; position < kKvTokens; ++position) {
      for (int d = 0; d < headSize; ++d) {
        const uint16_t key = block[d * kKvTokens + position],
                       value = block[kKvTokens * headSize + position * headSize + d];
        ASSERT_EQ(position == slot ? floatToHalf(k[static_cast<size_t>(d)]) : 0xffff, key) << position << " " << d;
        ASSERT_EQ(position == slot ? floatToHalf(v[static_cast<size_t>(d)]) : 0xffff, value) << position << " " << d;
      }
    }
  }
}

TEST_P(AttentionKernels, JoinPieces) {
  for (int round = 0; round < rounds(150); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("joinPieces", static_cast<uint64_t>(round));
    const int headSize = random.integer(1, 256), rows = random.integer(1, 40);
    const int64_t elements = int64_t{rows} * headSize;
    std::vector<float> largestA = random.normals(rows), largestB, sumA, sumB;
    std::vector<float> a = random.normals(elements, 10), b = random.normals(elements, 10);
    for (const float largest : largestA) {
      largestB.push_back(largest + static_cast<float>(random.chance(0.2) ? 0 : random.uniform(-200, 200)));
      sumA.push_back(static_cast<float>(random.uniform(1, 256)));
      sumB.push_back(static_cast<float>(random.uniform(1, 256)));
    }
    const Result joined(rows, headSize), other(rows, headSize);
    for (const Result* result : {&joined, &other}) {
      std::copy(largestA.begin(), largestA.end(), result->largest.begin());
      std::copy(sumA.begin(), sumA.end(), result->sum.begin());
      std::copy(a.begin(), a.end(), result->out.begin());
    }
    const AttentionResult piece = {largestB.data(), sumB.data(), b.data()};
    kernels().joinPieces(joined.from(0, headSize), piece, rows, headSize);
    ASSERT_TRUE(joined.intact());
    for (int row = 0; row < rows; ++row) {
      const auto at = static_cast<size_t>(row);
      const float largest = joined.largest[row];
      ASSERT_EQ(std::max(largestA[at], largestB[at]), largest);
      const double factorA = std::exp(static_cast<double>(largestA[at]) - largest),
                   factorB = std::exp(static_cast<double>(largestB[at]) - largest);
      // Relative, per term: the exponential, its argument, the product, the sum.
      const double relative = 1e-7 + (std::abs(static_cast<double>(largestA[at]) - largestB[at]) + 3) * kRounding;
      const auto bounded = [&](double x, double y) {
        return Bounded{x * factorA + y * factorB,
                       relative * (std::abs(x) * factorA + std::abs(y) * factorB) + 0x1p-140};
      };
      ASSERT_TRUE(within(joined.sum[row], bounded(sumA[at], sumB[at]))) << "row " << row;
      for (int i = row * headSize; i < (row + 1) * headSize; ++i) {
        ASSERT_TRUE(within(joined.out[i], bounded(a[static_cast<size_t>(i)], b[static_cast<size_t>(i)])))
            << "row " << row << ", element " << i;
      }
    }
    kernelsFor(TD_ISA_SCALAR).joinPieces(other.from(0, headSize), piece, rows, headSize);
    ASSERT_TRUE(sameBits(joined.sum, other.sum) && sameBits(joined.out, other.out)) << "unlike scalar";
    ASSERT_TRUE(sameBits(joined.largest, other.largest)) << "unlike scalar";
  }
}

// Whichever side it is on.
TEST_P(AttentionKernels, JoiningNotANumberGivesNotANumber) {
  for (const bool first : {true, false}) {
    float largest = first ? notANumber() : 1.0f, sum = first ? notANumber() : 2.0f;
    float pieceLargest = first ? 1.0f : notANumber(), pieceSum = first ? 2.0f : notANumber();
    std::vector<float> out(20, first ? notANumber() : 3.0f), piece(20, first ? 3.0f : notANumber());
    kernels().joinPieces({&largest, &sum, out.data()}, {&pieceLargest, &pieceSum, piece.data()}, 1, 20);
    EXPECT_TRUE(std::isnan(sum)) << first;
    for (const float value : out) EXPECT_TRUE(std::isnan(value)) << first;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, AttentionKernels, ::testing::ValuesIn(isas()), isaOfTest);

}  // namespace
}  // namespace td::testing
