// Adjust: sparse penalties and biases on rows of logits, before Select sees them. A step without any costs a look at
// its counts.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

float finite(float x) {
  constexpr float kMost = std::numeric_limits<float>::max();
  return std::clamp(x, -kMost, kMost);
}

void checkCount(const op::Adjust& o, int64_t row) {
  const int32_t count = *o.counts.row<int32_t>(row);
  if (count < 0 || count > o.ids.columns) {
    fail(TD_INVALID_ARGUMENT, "adjust: row %lld has %d adjustments; 0 to %lld are possible",
         static_cast<long long>(row), count, static_cast<long long>(o.ids.columns));
  }
}

void checkAdjustment(const op::Adjust& o, int64_t row, int32_t i) {
  const int32_t id = o.ids.row<int32_t>(row)[i];
  const float factor = o.factors.row<float>(row)[i], addend = o.addends.row<float>(row)[i];
  if (id < 0 || id >= o.logits.columns) {
    fail(TD_INVALID_ARGUMENT, "adjust: token id %d in row %lld is not below %lld", id, static_cast<long long>(row),
         static_cast<long long>(o.logits.columns));
  }
  if (!(factor > 0) || !std::isfinite(factor) || std::isnan(addend)) {
    fail(TD_INVALID_ARGUMENT, "adjust: factor %g and addend %g of token id %d in row %lld are not possible",
         static_cast<double>(factor), static_cast<double>(addend), id, static_cast<long long>(row));
  }
}

class AdjustOperation final : public CpuOperation {
 public:
  explicit AdjustOperation(const op::Adjust& o) : o_(o) {}

  int64_t open(int, int64_t rows) override {
    rows_ = rows;
    bool any = false;
    for (int64_t row = 0; row < rows; ++row) {
      checkCount(o_, row);
      any |= *o_.counts.row<int32_t>(row) > 0;
    }
    perChunk_ = Job::perChunk(rows, 1);
    return any ? (rows + perChunk_ - 1) / perChunk_ : 0;
  }

  void run(int, int64_t chunk, uint8_t*) override {
    for (int64_t row = chunk * perChunk_; row < std::min(rows_, (chunk + 1) * perChunk_); ++row) adjust(row);
  }

 private:
  void adjust(int64_t row) const {
    const float *factors = o_.factors.row<float>(row), *addends = o_.addends.row<float>(row);
    for (int32_t i = 0; i < *o_.counts.row<int32_t>(row); ++i) {
      checkAdjustment(o_, row, i);
      float& logit = o_.logits.row<float>(row)[o_.ids.row<int32_t>(row)[i]];
      if (!std::isfinite(logit)) continue;  // Select finds it
      // Finite first: the infinities of a penalty and a bias might meet.
      logit = finite(finite(logit > 0 ? logit / factors[i] : logit * factors[i]) + addends[i]);
    }
  }

  const op::Adjust o_;
  int64_t rows_ = 0, perChunk_ = 1;
};

}  // namespace

void checkAdjustments(const op::Adjust& o, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) {
    checkCount(o, row);
    for (int32_t i = 0; i < *o.counts.row<int32_t>(row); ++i) checkAdjustment(o, row, i);
  }
}

std::unique_ptr<CpuOperation> makeAdjust(const op::Adjust& operation, const CpuTarget&) {
  return std::make_unique<AdjustOperation>(operation);
}

}  // namespace td
