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

class AdjustOperation final : public CpuOperation {
 public:
  explicit AdjustOperation(const op::Adjust& o) : o_(o) {}

  int64_t open(int, int64_t rows) override {
    rows_ = rows;
    bool any = false;
    for (int64_t row = 0; row < rows; ++row) {
      const int32_t count = *o_.counts.row<int32_t>(row);
      if (count < 0 || count > o_.ids.columns) {
        fail(TD_INVALID_ARGUMENT, "adjust: row %lld has %d adjustments; 0 to %lld are possible",
             static_cast<long long>(row), count, static_cast<long long>(o_.ids.columns));
      }
      any |= count > 0;
    }
    perChunk_ = Job::perChunk(rows, 1);
    return any ? (rows + perChunk_ - 1) / perChunk_ : 0;
  }

  void run(int, int64_t chunk, uint8_t*) override {
    for (int64_t row = chunk * perChunk_; row < std::min(rows_, (chunk + 1) * perChunk_); ++row) adjust(row);
  }

 private:
  void adjust(int64_t row) const {
    const int32_t* ids = o_.ids.row<int32_t>(row);
    const float *factors = o_.factors.row<float>(row), *addends = o_.addends.row<float>(row);
    float* logits = o_.logits.row<float>(row);
    for (int32_t i = 0; i < *o_.counts.row<int32_t>(row); ++i) {
      if (ids[i] < 0 || ids[i] >= o_.logits.columns) {
        fail(TD_INVALID_ARGUMENT, "adjust: token id %d in row %lld is not below %lld", ids[i],
             static_cast<long long>(row), static_cast<long long>(o_.logits.columns));
      }
      if (!(factors[i] > 0) || !std::isfinite(factors[i]) || std::isnan(addends[i])) {
        fail(TD_INVALID_ARGUMENT, "adjust: factor %g and addend %g of token id %d in row %lld are not possible",
             static_cast<double>(factors[i]), static_cast<double>(addends[i]), ids[i], static_cast<long long>(row));
      }
      float& logit = logits[ids[i]];
      if (!std::isfinite(logit)) continue;  // Select finds it
      // Finite first: the infinities of a penalty and a bias might meet.
      logit = finite(finite(logit > 0 ? logit / factors[i] : logit * factors[i]) + addends[i]);
    }
  }

  const op::Adjust o_;
  int64_t rows_ = 0, perChunk_ = 1;
};

}  // namespace

std::unique_ptr<CpuOperation> makeAdjust(const op::Adjust& operation, const CpuTarget&) {
  return std::make_unique<AdjustOperation>(operation);
}

}  // namespace td
