// Select: the best candidates of each row of logits and the logarithm of the sum of all exponentials. The first pass
// scans runs of 4,096 logits; the second finds the candidates of a row. The order (higher logit first, then lower id)
// is total, so the result is unique.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

struct Candidate {
  float logit;
  int32_t id;
};

bool better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

int64_t runsPerRow(int64_t vocabulary) {
  return (vocabulary + kSelectRun - 1) / kSelectRun;
}

int64_t groupsPerRow(int64_t vocabulary) {
  return (vocabulary + kSelectGroup - 1) / kSelectGroup;
}

class SelectOperation final : public CpuOperation {
 public:
  SelectOperation(const op::Select& o, const CpuTarget& target)
      : o_(o),
        kernels_(target.kernels),
        vocabulary_(o.logits.columns),
        runsPerRow_(runsPerRow(vocabulary_)),
        groupsPerRow_(groupsPerRow(vocabulary_)),
        mostRows_(std::min({o.logits.rows, o.ids.rows, o.values.rows, o.logSums.rows})) {}

  int passes() const override { return 2; }

  int64_t open(int pass, int64_t rows) override {
    items_ = pass == 0 ? rows * runsPerRow_ : rows;
    perChunk_ = Job::perChunk(items_, 1);
    return (items_ + perChunk_ - 1) / perChunk_;
  }

  void run(int pass, int64_t chunk, uint8_t* scratch) override {
    for (int64_t item = chunk * perChunk_; item < std::min(items_, (chunk + 1) * perChunk_); ++item) {
      if (pass == 0) {
        scan(item);
      } else {
        chooseCandidates(item, scratch);
      }
    }
  }

  WorkNeed work() const override { return selectWork(mostRows_, vocabulary_); }
  void useShared(uint8_t* shared) override {
    runs_ = reinterpret_cast<LogitRun*>(shared);
    groupLargest_ = reinterpret_cast<float*>(runs_ + mostRows_ * runsPerRow_);
  }

 private:
  void scan(int64_t run) {
    const int64_t row = run / runsPerRow_, first = run % runsPerRow_ * kSelectRun;
    runs_[run] =
        kernels_.scanLogits(o_.logits.row<float>(row) + first, std::min<int64_t>(kSelectRun, vocabulary_ - first),
                            &groupLargest_[row * groupsPerRow_ + first / kSelectGroup]);
  }

  void chooseCandidates(int64_t row, uint8_t* scratch) {
    const LogitRun* runs = runs_ + row * runsPerRow_;
    float largest = runs[0].largest;
    for (int64_t i = 0; i < runsPerRow_; ++i) {
      if (!runs[i].finite) {
        fail(TD_NOT_FINITE,
             "the logits of output row %lld are not finite (NaN or infinity): the model's weights or its file are "
             "damaged",
             static_cast<long long>(row));
      }
      largest = std::max(largest, runs[i].largest);
    }
    double sum = 0;
    for (int64_t i = 0; i < runsPerRow_; ++i)
      sum += static_cast<double>(runs[i].sum) * std::exp(static_cast<double>(runs[i].largest) - largest);
    *o_.logSums.row<float>(row) = static_cast<float>(largest + std::log(sum));

    const int64_t wanted = std::min<int64_t>(o_.ids.columns, vocabulary_);
    auto* candidates = reinterpret_cast<Candidate*>(scratch);
    auto* order = reinterpret_cast<float*>(candidates + vocabulary_);
    const float* groups = groupLargest_ + row * groupsPerRow_;
    // The wanted-th largest of the groups' largest is a threshold that at least `wanted` logits reach.
    float threshold = -std::numeric_limits<float>::infinity();
    if (wanted < groupsPerRow_) {
      std::copy(groups, groups + groupsPerRow_, order);
      std::nth_element(order, order + wanted - 1, order + groupsPerRow_, std::greater<>());
      threshold = order[wanted - 1];
    }
    const float* logits = o_.logits.row<float>(row);
    int64_t found = 0;
    for (int64_t group = 0; group < groupsPerRow_; ++group) {
      if (groups[group] < threshold) continue;
      for (int64_t i = group * kSelectGroup; i < std::min(vocabulary_, (group + 1) * kSelectGroup); ++i) {
        if (logits[i] >= threshold) candidates[found++] = {logits[i], static_cast<int32_t>(i)};
      }
    }
    std::partial_sort(candidates, candidates + wanted, candidates + found, better);
    for (int64_t i = 0; i < o_.ids.columns; ++i) {
      o_.ids.row<int32_t>(row)[i] = i < wanted ? candidates[i].id : -1;
      o_.values.row<float>(row)[i] = i < wanted ? candidates[i].logit : -std::numeric_limits<float>::infinity();
    }
  }

  const op::Select o_;
  const Kernels& kernels_;
  const int64_t vocabulary_, runsPerRow_, groupsPerRow_, mostRows_;
  LogitRun* runs_ = nullptr;
  float* groupLargest_ = nullptr;
  int64_t items_ = 0, perChunk_ = 1;  // runs of logits in the first pass, rows in the second
};

}  // namespace

// Shared: what the first pass found. Per worker: candidates, which can be all logits when many are equal, and the
// groups in order.
WorkNeed selectWork(int64_t rows, int64_t vocabulary) {
  const auto bytes = [](int64_t count, size_t size) { return count * static_cast<int64_t>(size); };
  return {rows * (bytes(runsPerRow(vocabulary), sizeof(LogitRun)) + bytes(groupsPerRow(vocabulary), sizeof(float))),
          bytes(vocabulary, sizeof(Candidate)) + bytes(groupsPerRow(vocabulary), sizeof(float))};
}

std::unique_ptr<CpuOperation> makeSelect(const op::Select& operation, const CpuTarget& target) {
  return std::make_unique<SelectOperation>(operation, target);
}

}  // namespace td
