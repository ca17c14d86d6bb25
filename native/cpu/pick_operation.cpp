// Pick: draws tokens from whole rows of logits. docs/sampling.md says what is computed in which order; the Java sampler
// computes the same from Select's candidates where those suffice (dev.tandem.engine.sample.Shortlist).
//
// Whatever filters drop, what they keep is a range in the order of the logits. The first pass finds it (a row without
// filters needs no order), the second weighs the runs of each row, the third draws.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/exponential.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"
#include "cpu/logit_order.h"

namespace td {
namespace {

int64_t runsPerRow(int64_t vocabulary) {
  return (vocabulary + kSelectRun - 1) / kSelectRun;
}

// Places of the order, from the first to before the last.
struct Places {
  int64_t from, to;
};

double settingOf(const op::Pick& o, int64_t row, td_pick_setting which) {
  return o.settings.row<double>(row)[which];
}

class PickOperation final : public CpuOperation {
 public:
  PickOperation(const op::Pick& o, const CpuTarget& target)
      : o_(o),
        kernels_(target.kernels),
        vocabulary_(o.logits.columns),
        runsPerRow_(runsPerRow(vocabulary_)),
        mostRows_(std::min({o.rows.rows, o.settings.rows, o.pickedIds.rows, o.pickedValues.rows})) {}

  int passes() const override { return 3; }

  int64_t open(int pass, int64_t rows) override {
    if (pass == 0) {
      rows_ = rows;
      for (int64_t row = 0; row < rows; ++row) prepare(row);
      // One chunk: they share the memory to sort in.
      return std::any_of(kept_, kept_ + rows, isUnknown) ? 1 : 0;
    }
    items_ = pass == 1 ? rows * runsPerRow_ : rows;
    perChunk_ = Job::perChunk(items_, 1);
    return (items_ + perChunk_ - 1) / perChunk_;
  }

  void run(int pass, int64_t chunk, uint8_t* scratch) override {
    auto* weights = reinterpret_cast<double*>(scratch);
    if (pass == 0) {
      for (int64_t row = 0; row < rows_; ++row) {
        if (isUnknown(kept_[row])) filter(row, reinterpret_cast<float*>(weights + kSelectRun));
      }
      return;
    }
    for (int64_t item = chunk * perChunk_; item < std::min(items_, (chunk + 1) * perChunk_); ++item) {
      if (pass == 1) {
        sums_[item] = weigh(item / runsPerRow_, item % runsPerRow_, weights);
      } else {
        draw(item, weights);
      }
    }
  }

  WorkNeed work() const override { return pickWork(mostRows_, vocabulary_); }
  void useShared(uint8_t* shared) override {
    words_ = reinterpret_cast<uint64_t*>(shared);
    sums_ = reinterpret_cast<double*>(words_ + LogitOrder::wordsFor(vocabulary_));
    kept_ = reinterpret_cast<KeptRange*>(sums_ + mostRows_ * runsPerRow_);
  }

 private:
  // A range that the first pass has yet to find.
  static bool isUnknown(const KeptRange& kept) { return kept.firstId < 0; }

  double setting(int64_t row, td_pick_setting which) const { return settingOf(o_, row, which); }
  int64_t logitsRow(int64_t row) const { return *o_.rows.row<int32_t>(row); }
  const float* logits(int64_t row) const { return o_.logits.row<float>(logitsRow(row)); }
  float best(int64_t row) const { return o_.values.row<float>(logitsRow(row))[0]; }

  // Checks a draw; if it drops nothing, its range is the whole row.
  void prepare(int64_t row) {
    checkDraw(o_, row);
    const bool dropsNothing = keptOfTopK(row) == vocabulary_ && setting(row, TD_PICK_TYPICAL) >= 1 &&
                              setting(row, TD_PICK_TOP_P) >= 1 && setting(row, TD_PICK_MIN_P) == 0;
    kept_[row] = {best(row), dropsNothing ? 0 : -1, -std::numeric_limits<float>::infinity(), 0};
  }

  int64_t keptOfTopK(int64_t row) const {
    const double topK = setting(row, TD_PICK_TOP_K);
    return topK >= 1 && topK < static_cast<double>(vocabulary_) ? static_cast<int64_t>(topK) : vocabulary_;
  }

  void filter(int64_t row, float* block) {
    LogitOrder order(kernels_, logits(row), vocabulary_, words_, block);
    Places kept{0, keptOfTopK(row)};
    const bool isTypical = setting(row, TD_PICK_TYPICAL) < 1;
    if (isTypical) kept = typical(order, kept, setting(row, TD_PICK_TYPICAL));
    if (setting(row, TD_PICK_TOP_P) < 1) {
      const double total = kept.to == vocabulary_ && !isTypical
                               ? exponential(static_cast<double>(*o_.logSums.row<float>(logitsRow(row))) -
                                             static_cast<double>(best(row)))
                               : sumOf(order, kept);
      kept.to = topP(order, kept, setting(row, TD_PICK_TOP_P) * total);
    }
    if (setting(row, TD_PICK_MIN_P) > 0) kept.to = minP(order, kept, setting(row, TD_PICK_MIN_P));
    kept_[row] = {order.logit(kept.from), order.id(kept.from), order.logit(kept.to - 1), order.id(kept.to - 1)};
  }

  static double sumOf(LogitOrder& order, Places kept) {
    double sum = 0;
    for (int64_t i = kept.from; i < kept.to; ++i) sum += order.exponential(i);
    return sum;
  }

  // Those whose surprisal is nearest to its mean, the entropy, until their probability exceeds `most` (Meister et al.,
  // "Locally typical sampling", 2023). A surprisal is the distance from the best and a constant, so distances do.
  static Places typical(LogitOrder& order, Places all, double most) {
    double sum = 0, weighted = 0;
    for (int64_t i = 0; i < all.to; ++i) {
      sum += order.exponential(i);
      weighted += order.exponential(i) * order.distance(i);
    }
    const double mean = weighted / sum;
    Places kept{0, 0};
    while (kept.to < all.to && order.distance(kept.to) < mean) ++kept.to;
    kept.from = kept.to;
    for (double reached = 0; !(reached > most * sum) && (kept.from > 0 || kept.to < all.to);) {
      const bool before = kept.to == all.to ||
                          (kept.from > 0 && mean - order.distance(kept.from - 1) <= order.distance(kept.to) - mean);
      reached += order.exponential(before ? --kept.from : kept.to++);
    }
    return kept;
  }

  // The best ones until their sum reaches `least`.
  static int64_t topP(LogitOrder& order, Places kept, double least) {
    double sum = 0;
    for (int64_t i = kept.from; i < kept.to; ++i) {
      sum += order.exponential(i);
      if (sum >= least) return i + 1;
    }
    return kept.to;
  }

  static int64_t minP(LogitOrder& order, Places kept, double part) {
    const double least = part * order.exponential(kept.from);
    int64_t end = kept.from + 1;
    while (end < kept.to && order.exponential(end) >= least) ++end;
    return end;
  }

  double weigh(int64_t row, int64_t run, double* weights) const {
    const int64_t first = run * kSelectRun;
    return kernels_.weigh(logits(row) + first, static_cast<int32_t>(first),
                          std::min<int64_t>(kSelectRun, vocabulary_ - first), kept_[row],
                          setting(row, TD_PICK_INVERSE_TEMPERATURE), weights);
  }

  // The token at which the sum of the weights, in the order of ids, first exceeds the random part of the whole sum.
  void draw(int64_t row, double* weights) {
    const double* sums = sums_ + row * runsPerRow_;
    double whole = 0;
    for (int64_t run = 0; run < runsPerRow_; ++run) whole += sums[run];
    const double goal = setting(row, TD_PICK_UNIFORM) * whole;
    double before = 0;
    int64_t run = 0;
    while (run < runsPerRow_ && !(goal < before + sums[run])) before += sums[run++];
    if (run == runsPerRow_) {
      fail(TD_NOT_FINITE, "pick: no logit of row %lld has a weight", static_cast<long long>(logitsRow(row)));
    }
    weigh(row, run, weights);
    const int64_t first = run * kSelectRun, count = std::min<int64_t>(kSelectRun, vocabulary_ - first);
    int64_t picked = 0;
    for (int64_t i = 0; i < count && !(goal < before); ++i) {
      if (weights[i] == 0) continue;
      before += weights[i];
      picked = i;  // the last one, where the lanes' sum was a little larger than this one
    }
    *o_.pickedIds.row<int32_t>(row) = static_cast<int32_t>(first + picked);
    *o_.pickedValues.row<float>(row) = logits(row)[first + picked];
  }

  const op::Pick o_;
  const Kernels& kernels_;
  const int64_t vocabulary_, runsPerRow_, mostRows_;
  uint64_t* words_ = nullptr;
  double* sums_ = nullptr;     // per row and run
  KeptRange* kept_ = nullptr;  // per row
  int64_t rows_ = 0, items_ = 0, perChunk_ = 1;
};

}  // namespace

void checkDraw(const op::Pick& o, int64_t row) {
  const int64_t rows = std::min({o.logits.rows, o.values.rows, o.logSums.rows});
  checkedIndex(o.rows, row, rows, "pick: row");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const struct {
    const char* name;
    td_pick_setting which;
    double bound;  // values from 0 to below this are possible
  } bounds[] = {{"top_k", TD_PICK_TOP_K, kInfinity},
                {"typical", TD_PICK_TYPICAL, kInfinity},
                {"top_p", TD_PICK_TOP_P, kInfinity},
                {"min_p", TD_PICK_MIN_P, std::nextafter(1.0, 2.0)},
                {"inverse temperature", TD_PICK_INVERSE_TEMPERATURE, kInfinity},
                {"uniform", TD_PICK_UNIFORM, 1}};
  for (const auto& bound : bounds) {
    const double value = settingOf(o, row, bound.which);
    if (!(value >= 0 && value < bound.bound)) {
      fail(TD_INVALID_ARGUMENT, "pick: %s %g in row %lld is not possible", bound.name, value,
           static_cast<long long>(row));
    }
  }
}

// Shared: memory to sort one row in, the runs' sums, the ranges. Per worker: the weights of a run, and logits to
// compute exponentials of.
WorkNeed pickWork(int64_t rows, int64_t vocabulary) {
  const auto bytes = [](int64_t count, size_t size) { return count * static_cast<int64_t>(size); };
  return {bytes(LogitOrder::wordsFor(vocabulary), sizeof(uint64_t)) +
              rows * (bytes(runsPerRow(vocabulary), sizeof(double)) + bytes(1, sizeof(KeptRange))),
          bytes(kSelectRun, sizeof(double)) + bytes(LogitOrder::kBlock, sizeof(float))};
}

std::unique_ptr<CpuOperation> makePick(const op::Pick& operation, const CpuTarget& target) {
  return std::make_unique<PickOperation>(operation, target);
}

}  // namespace td
