// Adjust and what Select makes of it, through the C interface.
#include <algorithm>
#include <map>

#include "c_interface.h"

namespace td::testing {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();

struct Adjustment {
  int32_t id;
  float factor, addend;
};

// Rows of logits behind adjust and select, on three threads.
class AdjustedRows {
 public:
  static constexpr int64_t kPlaces = 70, kCandidates = TD_MAX_CANDIDATES;

  AdjustedRows(td_isa isa, int64_t rows, int64_t vocabulary)
      : vocabulary_(vocabulary),
        device_(openDevice(isa, 3)),
        extent_(device_, std::vector<int32_t>{static_cast<int32_t>(rows)}),
        counts(device_, rows),
        ids(device_, rows * kPlaces),
        chosen(device_, rows * kCandidates),
        logits(device_, rows * vocabulary),
        factors(device_, rows * kPlaces),
        addends(device_, rows * kPlaces),
        values(device_, rows * kCandidates),
        sums(device_, rows),
        program_(td_program_create(device_)) {
    ids.fill(-1);  // nobody may look at what is not counted
    factors.fill(notANumber());
    addends.fill(notANumber());
    ok(td_program_extent(program_, tensorOf(program_, extent_, 1)));
    const int32_t row = tensorOf(program_, logits, vocabulary);
    ok(td_op_adjust(program_, row, tensorOf(program_, counts, 1), tensorOf(program_, ids, kPlaces),
                    tensorOf(program_, factors, kPlaces), tensorOf(program_, addends, kPlaces)));
    ok(td_op_select(program_, row, tensorOf(program_, chosen, kCandidates), tensorOf(program_, values, kCandidates),
                    tensorOf(program_, sums, 1)));
    ok(td_program_finish(program_));
  }

  void set(int64_t row, const std::vector<Adjustment>& adjustments) {
    counts[row] = static_cast<int32_t>(adjustments.size());
    for (size_t i = 0; i < adjustments.size(); ++i) {
      const int64_t at = row * kPlaces + static_cast<int64_t>(i);
      ids[at] = adjustments[i].id;
      factors[at] = adjustments[i].factor;
      addends[at] = adjustments[i].addend;
    }
  }
  int32_t run() const { return td_program_run(program_, 0); }
  std::vector<float> row(int64_t index) const {
    return {&logits[index * vocabulary_], &logits[index * vocabulary_] + vocabulary_};
  }

 private:
  const int64_t vocabulary_;
  Device device_;
  Buffer<int32_t> extent_;

 public:
  Buffer<int32_t> counts, ids, chosen;
  Buffer<float> logits, factors, addends, values, sums;

 private:
  Program program_;
};

class Adjust : public OnEachIsa {};

TEST_P(Adjust, OneAfterAnotherAndSelectSeesThem) {
  for (int round = 0; round < rounds(40); ++round) {
    Random random("adjust", static_cast<uint64_t>(round));
    const int64_t rows = random.between(1, 4), vocabulary = random.between(1, 5000);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << rows << " rows of " << vocabulary);
    AdjustedRows adjusted(GetParam(), rows, vocabulary);
    adjusted.logits.set(random.normals(rows * vocabulary, 5));
    std::vector<std::map<int32_t, Bounded>> expected(static_cast<size_t>(rows));
    std::vector<std::vector<float>> before;
    for (int64_t row = 0; row < rows; ++row) {
      before.push_back(adjusted.row(row));
      std::vector<Adjustment> adjustments;
      const int64_t count = random.chance(0.3) ? 0 : random.between(1, AdjustedRows::kPlaces);
      for (int64_t i = 0; i < count; ++i) {
        const int32_t id = random.chance(0.2) && i > 0 ? adjustments.back().id
                                                       : static_cast<int32_t>(random.between(0, vocabulary - 1));
        const double factor = random.pick(std::initializer_list<double>{1, 1.1, 2, 0.5});
        const double addend = random.chance(0.3) ? 0 : random.uniform(-10, 10);
        adjustments.push_back({id, static_cast<float>(factor), static_cast<float>(addend)});
        auto& outcome = expected[static_cast<size_t>(row)];
        outcome.try_emplace(id, Bounded{before.back()[static_cast<size_t>(id)], 0});
        Bounded& logit = outcome[id];
        const double wide = adjustments.back().factor;
        const double scaled = logit.value > 0 ? logit.value / wide : logit.value * wide;
        logit = {scaled + adjustments.back().addend,
                 2 * logit.tolerance + 2 * kRounding * (std::abs(scaled) + std::abs(addend))};
      }
      adjusted.set(row, adjustments);
    }
    ASSERT_EQ(0, adjusted.run()) << errorMessage();
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> after = adjusted.row(row);
      const auto& outcome = expected[static_cast<size_t>(row)];
      for (int32_t id = 0; id < vocabulary; ++id) {
        const auto found = outcome.find(id);
        const float logit = after[static_cast<size_t>(id)];
        if (found == outcome.end()) {
          ASSERT_TRUE(sameBits(before[static_cast<size_t>(row)][static_cast<size_t>(id)], logit)) << row << ", " << id;
        } else {
          ASSERT_TRUE(within(logit, found->second)) << row << ", " << id;
        }
      }
      // The candidates and the sum are those of the adjusted row.
      const auto best = std::max_element(after.begin(), after.end());
      ASSERT_EQ(best - after.begin(), adjusted.chosen[row * AdjustedRows::kCandidates]) << row;
      ASSERT_EQ(*best, adjusted.values[row * AdjustedRows::kCandidates]) << row;
      double sum = 0;
      for (const float logit : after) sum += std::exp(static_cast<double>(logit) - *best);
      ASSERT_NEAR(*best + std::log(sum), adjusted.sums[row], 1e-4) << row;
    }
  }
}

TEST_P(Adjust, InfinitiesBanAndForce) {
  AdjustedRows rows(GetParam(), 1, 9);
  const std::vector<float> before = {1, -2, 3, 0, -0.0f, 5, -1e38f, 1e38f, 4};
  rows.logits.set(before);
  rows.set(0, {{0, 1, -infinity()},
               {1, 1, infinity()},
               {2, 1e38f, -infinity()},
               {3, 3e38f, 0},
               {6, 1e38f, 1},             // overflows
               {7, 1e-38f, -infinity()},  // two infinities meet
               {8, 1, -infinity()},
               {8, 1.5f, 100}});  // once banned, always banned
  ASSERT_EQ(0, rows.run()) << errorMessage();
  const std::vector<float> expected = {-kMost, kMost, -kMost, 0, -0.0f, 5, -kMost, -kMost, -kMost};
  EXPECT_TRUE(sameBits(rows.row(0), expected));
  EXPECT_EQ(1, rows.chosen[0]);
  EXPECT_EQ(5, rows.chosen[1]);
  EXPECT_EQ(kMost, rows.sums[0]);
}

TEST_P(Adjust, AllBannedButOneAndAllBanned) {
  AdjustedRows rows(GetParam(), 1, 50);
  rows.logits.set(Random("banned").normals(50, 3));
  std::vector<Adjustment> bans;
  for (int32_t id = 0; id < 50; ++id) {
    if (id != 33) bans.push_back({id, 1, -infinity()});
  }
  rows.set(0, bans);
  const float left = rows.logits[33];
  ASSERT_EQ(0, rows.run()) << errorMessage();
  EXPECT_EQ(33, rows.chosen[0]);
  EXPECT_EQ(left, rows.sums[0]) << "no other has any weight";
  rows.set(0, {{33, 1, -infinity()}});
  ASSERT_EQ(0, rows.run()) << errorMessage();
  EXPECT_EQ(0, rows.chosen[0]);
  EXPECT_EQ(-kMost, rows.sums[0]);
}

TEST_P(Adjust, HidesNoDamage) {
  for (const float bad : {notANumber(), infinity(), -infinity()}) {
    AdjustedRows rows(GetParam(), 2, 20);
    rows.logits.fill(1);
    rows.logits[20 + 7] = bad;
    for (const float addend : {0.0f, 3.0f, infinity(), -infinity()}) {
      rows.set(1, {{7, 1.5f, addend}});
      EXPECT_TRUE(refused(rows.run(), TD_NOT_FINITE, "output row 1")) << bad << ", " << addend;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Adjust, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
