// Pick through the C interface, behind Select, against the samplers as their papers have them, in long double. A draw
// whose outcome hangs on the last bits is left out, and there must be few of those.
#include <algorithm>
#include <numeric>

#include "c_interface.h"

namespace td::testing {
namespace {

constexpr long double kDoubt = 1e-9L;

struct Settings {
  double topK = 0, typical = 1, topP = 1, minP = 0, factor = 1, uniform = 0;

  void write(double* row) const {
    row[TD_PICK_TOP_K] = topK;
    row[TD_PICK_TYPICAL] = typical;
    row[TD_PICK_TOP_P] = topP;
    row[TD_PICK_MIN_P] = minP;
    row[TD_PICK_INVERSE_TEMPERATURE] = factor;
    row[TD_PICK_UNIFORM] = uniform;
  }
};

::testing::Message& operator<<(::testing::Message& message, const Settings& s) {
  return message << "top-k " << s.topK << ", typical " << s.typical << ", top-p " << s.topP << ", min-p " << s.minP
                 << ", factor " << s.factor << ", u " << s.uniform;
}

// Rows of logits, each drawn from once.
class Draws {
 public:
  Draws(td_isa isa, int threads, const std::vector<std::vector<float>>& logits, const std::vector<int32_t>& rows)
      : device_(openDevice(isa, threads)),
        vocabulary_(static_cast<int64_t>(logits[0].size())),
        counts(device_, std::vector<int32_t>{static_cast<int32_t>(logits.size()), static_cast<int32_t>(rows.size())}),
        ids_(device_, static_cast<int64_t>(logits.size())),
        rows_(device_, rows),
        picked(device_, static_cast<int64_t>(rows.size())),
        logits_(device_, static_cast<int64_t>(logits.size()) * vocabulary_),
        values_(device_, static_cast<int64_t>(logits.size())),
        logSums(device_, static_cast<int64_t>(logits.size())),
        pickedValues(device_, static_cast<int64_t>(rows.size())),
        settings_(device_, static_cast<int64_t>(rows.size()) * TD_PICK_SETTINGS),
        program_(td_program_create(device_)) {
    for (size_t row = 0; row < logits.size(); ++row)
      std::copy(logits[row].begin(), logits[row].end(), &logits_[static_cast<int64_t>(row) * vocabulary_]);
    ok(td_program_extent(program_, ok(td_program_tensor(program_, counts.handle(), 0, TD_I32, TD_PLAIN, 1, 1))));
    const int32_t all = tensorOf(program_, logits_, vocabulary_), values = tensorOf(program_, values_, 1),
                  sums = tensorOf(program_, logSums, 1);
    ok(td_op_select(program_, all, tensorOf(program_, ids_, 1), values, sums));
    ok(td_program_extent(program_, ok(td_program_tensor(program_, counts.handle(), 4, TD_I32, TD_PLAIN, 1, 1))));
    ok(td_op_pick(program_, all, values, sums, tensorOf(program_, rows_, 1),
                  tensorOf(program_, settings_, TD_PICK_SETTINGS), tensorOf(program_, picked, 1),
                  tensorOf(program_, pickedValues, 1)));
    ok(td_program_finish(program_));
  }

  void set(int64_t draw, const Settings& settings) { settings.write(&settings_[draw * TD_PICK_SETTINGS]); }
  int32_t run() const { return td_program_run(program_, 0); }
  int32_t pick(const Settings& settings) {
    set(0, settings);
    EXPECT_EQ(0, run()) << errorMessage();
    return picked[0];
  }

 private:
  Device device_;
  const int64_t vocabulary_;

 public:
  Buffer<int32_t> counts;

 private:
  Buffer<int32_t> ids_, rows_;

 public:
  Buffer<int32_t> picked;

 private:
  Buffer<float> logits_, values_;

 public:
  Buffer<float> logSums, pickedValues;

 private:
  Buffer<double> settings_;
  Program program_;
};

// What must come out; `doubtful` if the last bits decide.
struct Expected {
  int32_t id = -1;
  bool doubtful = false;
};

class Reference {
 public:
  Reference(const std::vector<float>& logits, float logSum) : logits_(logits), logSum_(logSum) {
    order_.resize(logits.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) { return logitOf(a) > logitOf(b); });
    best_ = logitOf(order_[0]);
  }

  Expected draw(const Settings& s) {
    doubtful_ = false;
    std::vector<int32_t> kept = order_;
    if (s.topK >= 1 && s.topK < static_cast<double>(kept.size())) kept.resize(static_cast<size_t>(s.topK));
    if (s.typical < 1) kept = typical(kept, s.typical);
    if (s.topP < 1) kept = topP(kept, s.topP);
    if (s.minP > 0) kept = minP(kept, s.minP);
    return {drawn(kept, s), doubtful_};
  }

 private:
  long double logitOf(int32_t id) const { return logits_[static_cast<size_t>(id)]; }
  long double probability(int32_t id) const { return std::exp(logitOf(id) - best_); }  // not normalised

  long double sumOf(const std::vector<int32_t>& ids) const {
    long double sum = 0;
    for (const int32_t id : ids) sum += probability(id);
    return sum;
  }

  void compare(long double a, long double b, long double scale) { doubtful_ |= std::abs(a - b) < kDoubt * scale; }

  std::vector<int32_t> typical(const std::vector<int32_t>& from, double most) {
    const long double sum = sumOf(from);
    long double entropy = 0;
    for (const int32_t id : from) {
      const long double p = probability(id) / sum;
      if (p > 0) entropy -= p * std::log(p);
    }
    const auto shift = [&](int32_t id) { return best_ - logitOf(id) + std::log(sum) - entropy; };  // -log p - entropy
    // Among equals the likelier first; of equal logits those nearest to the entropy's place first.
    std::vector<int32_t> nearest = from;
    std::reverse(nearest.begin(),
                 std::find_if(nearest.begin(), nearest.end(), [&](int32_t i) { return shift(i) >= 0; }));
    std::stable_sort(nearest.begin(), nearest.end(),
                     [&](int32_t a, int32_t b) { return std::abs(shift(a)) < std::abs(shift(b)); });
    long double reached = 0;
    size_t count = 0;
    while (count < nearest.size() && reached <= most * sum) {
      reached += probability(nearest[count++]);
      compare(reached, most * sum, sum);
    }
    const auto doubtfulNeighbours = [&](size_t a, size_t b) {
      if (logitOf(nearest[a]) != logitOf(nearest[b]))
        compare(std::abs(shift(nearest[a])), std::abs(shift(nearest[b])), 1);
    };
    if (count < nearest.size()) doubtfulNeighbours(count - 1, count);
    for (const int32_t id : from) {
      if (shift(id) != 0) compare(shift(id), 0, 1);
    }
    nearest.resize(count);
    std::vector<int32_t> kept;
    for (const int32_t id : from) {
      if (std::find(nearest.begin(), nearest.end(), id) != nearest.end()) kept.push_back(id);
    }
    return kept;
  }

  std::vector<int32_t> topP(std::vector<int32_t> from, double least) {
    // Of the whole row the operation takes Select's sum, a float.
    const long double sum =
        from.size() == logits_.size() ? std::exp(static_cast<long double>(logSum_) - best_) : sumOf(from);
    long double reached = 0;
    for (size_t count = 0; count < from.size();) {
      reached += probability(from[count++]);
      if (least > 0) compare(reached, least * sum, sum * 0.001L);
      if (reached >= least * sum) from.resize(count);
    }
    return from;
  }

  std::vector<int32_t> minP(std::vector<int32_t> from, double part) {
    const long double least = part * probability(from[0]);
    size_t count = 1;
    while (count < from.size() && probability(from[count]) >= least) ++count;
    for (const int32_t id : from) {
      if (logitOf(id) != logitOf(from[0])) compare(probability(id), least, least);
    }
    from.resize(count);
    return from;
  }

  int32_t drawn(std::vector<int32_t> kept, const Settings& s) {
    const long double best = logitOf(kept[0]);
    const auto weight = [&](int32_t id) {
      const long double exponent = (logitOf(id) - best) * s.factor;
      return exponent < -708 ? 0 : std::exp(exponent);
    };
    std::sort(kept.begin(), kept.end());
    long double sum = 0;
    for (const int32_t id : kept) sum += weight(id);
    long double reached = 0;
    int32_t last = -1;
    for (const int32_t id : kept) {
      if (weight(id) == 0) continue;
      last = id;
      reached += weight(id);
      if (s.uniform > 0) compare(reached, s.uniform * sum, sum * 0.001L);
      if (reached > s.uniform * sum) return id;
    }
    return last;
  }

  const std::vector<float>& logits_;
  const float logSum_;
  std::vector<int32_t> order_;
  long double best_;
  bool doubtful_ = false;
};

std::vector<float> randomLogits(Random& random, int64_t count) {
  std::vector<float> logits = random.normals(count, random.pick(std::initializer_list<double>{0.01, 1, 3, 100}));
  if (random.chance(0.3)) {
    for (float& logit : logits) logit = std::nearbyint(logit * 4) / 4;  // ties
  }
  if (random.chance(0.1)) logits.assign(logits.size(), logits[0]);
  if (random.chance(0.2)) logits[static_cast<size_t>(random.between(0, count - 1))] = -0.0f;
  if (random.chance(0.2)) logits[static_cast<size_t>(random.between(0, count - 1))] = -3.4028235e38f;
  return logits;
}

Settings randomSettings(Random& random) {
  Settings s;
  if (random.chance(0.4)) s.topK = static_cast<double>(random.between(1, random.chance(0.5) ? 40 : 20'000));
  if (random.chance(0.3)) s.typical = random.chance(0.1) ? 0 : random.uniform();
  if (random.chance(0.4)) s.topP = random.chance(0.1) ? 0 : random.uniform();
  if (random.chance(0.4)) s.minP = random.chance(0.1) ? 1 : std::pow(10, random.uniform(-6, 0));
  s.factor = random.chance(0.3) ? 1 : random.pick(std::initializer_list<double>{0, 1e-300, 0.01, 0.5, 1.25, 5, 1e30});
  s.uniform = random.chance(0.05) ? 0 : random.chance(0.05) ? 1 - 0x1p-53 : random.uniform();
  return s;
}

class Pick : public OnEachIsa {};

TEST_P(Pick, AsTheReferenceDraws) {
  int doubtful = 0, all = 0;
  for (int round = 0; round < rounds(60); ++round) {
    Random random("pick", static_cast<uint64_t>(round));
    const int64_t vocabulary = random.chance(0.4) ? random.between(1, 300) : random.between(1, 20'000);
    const int64_t rows = random.between(1, 3);
    std::vector<std::vector<float>> logits;
    for (int64_t row = 0; row < rows; ++row) logits.push_back(randomLogits(random, vocabulary));
    std::vector<int32_t> rowOf;
    for (int draw = 0; draw < 4; ++draw) rowOf.push_back(static_cast<int32_t>(random.between(0, rows - 1)));
    Draws draws(GetParam(), 1 + round % 3, logits, rowOf);
    std::vector<Settings> settings;
    for (int draw = 0; draw < 4; ++draw) {
      settings.push_back(randomSettings(random));
      draws.set(draw, settings.back());
    }
    for (int run = 0; run < 2; ++run) ASSERT_EQ(0, draws.run()) << errorMessage();
    for (size_t draw = 0; draw < 4; ++draw) {
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                   << "draw " << draw << " of " << vocabulary << ": " << settings[draw]);
      const std::vector<float>& row = logits[static_cast<size_t>(rowOf[draw])];
      const Expected expected = Reference(row, draws.logSums[rowOf[draw]]).draw(settings[draw]);
      const int32_t picked = draws.picked[static_cast<int64_t>(draw)];
      ASSERT_TRUE(picked >= 0 && picked < vocabulary) << picked;
      ASSERT_EQ(row[static_cast<size_t>(picked)], draws.pickedValues[static_cast<int64_t>(draw)]);
      ++all;
      if (expected.doubtful) {
        ++doubtful;
      } else {
        ASSERT_EQ(expected.id, picked);
      }
    }
  }
  RecordProperty("doubtful", doubtful);
  EXPECT_LT(doubtful, all / 4);
}

// The same bits on every instruction set, with any number of threads, in any company.
TEST(PickEverywhere, GivesTheSameToken) {
  for (int round = 0; round < rounds(20); ++round) {
    Random random("pick everywhere", static_cast<uint64_t>(round));
    const int64_t vocabulary = random.between(1, 50'000);
    const std::vector<float> logits = randomLogits(random, vocabulary), other = randomLogits(random, vocabulary);
    const Settings settings = randomSettings(random);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << vocabulary << ": " << settings);
    const int32_t expected = Draws(TD_ISA_SCALAR, 1, {logits}, {0}).pick(settings);
    for (const td_isa isa : isas()) {
      for (const int threads : {1, 3}) {
        Draws company(isa, threads, {other, logits}, {0, 1, 1, 0});
        for (int draw = 0; draw < 4; ++draw) company.set(draw, draw == 1 ? settings : randomSettings(random));
        ASSERT_EQ(0, company.run()) << errorMessage();
        ASSERT_EQ(expected, company.picked[1]) << isaName(isa) << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(Pick, EdgesOfTheSettings) {
  // Ids by falling logit: 1 3 | 0 2 (equal) | 4.
  Draws draws(GetParam(), 1, {{2, 5, 2, 3, -40}}, {0});
  const auto all = [&](Settings s) {
    std::vector<int32_t> drawn;
    for (int i = 0; i < 200; ++i) {
      s.uniform = i / 200.0;
      const int32_t id = draws.pick(s);
      if (drawn.empty() || drawn.back() != id) drawn.push_back(id);
    }
    return drawn;  // in the order of ids
  };
  const double even = 1e-9;  // so hot that all are drawn alike
  using Ids = std::vector<int32_t>;
  EXPECT_EQ((Ids{0, 1, 2, 3, 4}), all({.factor = even}));
  EXPECT_EQ((Ids{0, 1, 2, 3, 4}), all({.topK = 5, .factor = even}));
  EXPECT_EQ((Ids{0, 1, 2, 3, 4}), all({.topK = 1e300, .factor = even}));
  EXPECT_EQ((Ids{0, 1, 3}), all({.topK = 3, .factor = even})) << "of equal ones the lower id";
  EXPECT_EQ((Ids{1}), all({.topK = 1, .factor = even}));
  EXPECT_EQ((Ids{1}), all({.topP = 0, .factor = even}));
  EXPECT_EQ((Ids{0, 1, 2, 3, 4}), all({.topP = 1, .factor = even}));
  EXPECT_EQ((Ids{0, 1, 2, 3}), all({.topP = 0.99999, .factor = even}));
  EXPECT_EQ((Ids{1}), all({.minP = 1, .factor = even}));
  EXPECT_EQ((Ids{0, 1, 2, 3}), all({.minP = std::exp(-3.000001), .factor = even}));
  EXPECT_EQ((Ids{1, 3}), all({.minP = std::exp(-2.999999), .factor = even}));
  EXPECT_EQ((Ids{1}), all({.factor = 1e30})) << "cold";
  EXPECT_EQ((Ids{1}), all({.typical = 0, .factor = even}));
  // With the best two left, top-p is of their sum: 0.88 and 0.12.
  EXPECT_EQ((Ids{1}), all({.topK = 2, .topP = 0.85, .factor = even}));
  EXPECT_EQ((Ids{1, 3}), all({.topK = 2, .topP = 0.9, .factor = even}));
}

TEST_P(Pick, OneToken) {
  Draws draws(GetParam(), 1, {{-7}}, {0});
  for (const double p : {0.0, 0.5, 1.0}) {
    EXPECT_EQ(0, draws.pick({.topK = 1, .typical = p, .topP = p, .minP = p, .factor = 3, .uniform = 0.7}));
  }
}

// A banned token has no weight even for the smallest random number, and however hot it is.
TEST_P(Pick, BannedTokensAreNotDrawn) {
  constexpr float kBanned = -std::numeric_limits<float>::max();
  std::vector<float> logits(9000, kBanned);
  logits[4500] = -3;
  Draws draws(GetParam(), 2, {logits}, {0});
  for (const double uniform : {0.0, 0x1p-53, 0.5, 1 - 0x1p-53}) {
    for (const double factor : {0.01, 1.0, 1e30}) EXPECT_EQ(4500, draws.pick({.factor = factor, .uniform = uniform}));
    EXPECT_EQ(4500, draws.pick({.minP = 1e-300, .uniform = uniform}));
    EXPECT_EQ(4500, draws.pick({.typical = 0.9, .uniform = uniform}));
  }
}

TEST_P(Pick, RefusesSettingsThatCannotBe) {
  Draws draws(GetParam(), 1, {{1, 2, 3}, {3, 2, 1}}, {1, 0});
  const double infinite = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Settings good{.topK = 2, .typical = 0.9, .topP = 0.9, .minP = 0.1, .factor = 1, .uniform = 0.5};
  draws.set(0, good);
  const auto expectRefusal = [&](Settings bad, const std::string& part) {
    draws.set(1, bad);
    EXPECT_TRUE(refused(draws.run(), TD_INVALID_ARGUMENT, "pick: " + part));
    draws.set(1, good);
    EXPECT_EQ(0, draws.run()) << errorMessage();
  };
  for (const double value : {-1.0, infinite, nan}) {
    Settings bad = good;
    bad.topK = value;
    expectRefusal(bad, "top_k");
    bad = good;
    bad.typical = value;
    expectRefusal(bad, "typical");
    bad = good;
    bad.topP = value;
    expectRefusal(bad, "top_p");
    bad = good;
    bad.minP = value;
    expectRefusal(bad, "min_p");
    bad = good;
    bad.factor = value;
    expectRefusal(bad, "inverse temperature");
    bad = good;
    bad.uniform = value;
    expectRefusal(bad, "uniform");
  }
  Settings bad = good;
  bad.minP = 1.01;
  expectRefusal(bad, "min_p 1.01 in row 1");
  bad = good;
  bad.uniform = 1;
  expectRefusal(bad, "uniform 1 in row 1");
}

INSTANTIATE_TEST_SUITE_P(Isa, Pick, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
