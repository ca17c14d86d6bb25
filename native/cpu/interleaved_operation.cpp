// Several operations as one pass whose chunks are merged by where they stand in their own operation: the chunk in the
// middle of one comes beside those in the middle of the others.
#include <algorithm>
#include <utility>

#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

class InterleavedOperation final : public CpuOperation {
 public:
  explicit InterleavedOperation(std::vector<std::unique_ptr<CpuOperation>> operations)
      : operations_(std::move(operations)), counts_(operations_.size()) {}

  int64_t open(int, int64_t rows) override {
    bool changed = false;
    for (size_t i = 0; i < operations_.size(); ++i) {
      const int64_t count = operations_[i]->open(0, rows);
      changed |= std::exchange(counts_[i], count) != count;
    }
    if (changed) merge();
    const auto items = static_cast<int64_t>(order_.size());
    perChunk_ = Job::perChunk(items, 1);
    return (items + perChunk_ - 1) / perChunk_;
  }

  void run(int, int64_t chunk, uint8_t* scratch) override {
    const int64_t end = std::min(static_cast<int64_t>(order_.size()), (chunk + 1) * perChunk_);
    for (int64_t i = chunk * perChunk_; i < end; ++i) {
      const Item& item = order_[static_cast<size_t>(i)];
      operations_[item.operation]->run(0, item.chunk, scratch);
    }
  }

  WorkNeed work() const override {
    WorkNeed most;
    for (const auto& operation : operations_) {
      const WorkNeed need = operation->work();
      most.shared += need.sharedBytes();
      most.perWorker = std::max(most.perWorker, need.perWorker);
    }
    return most;
  }

  void useShared(uint8_t* shared) override {
    for (const auto& operation : operations_) {
      operation->useShared(shared);
      shared += operation->work().sharedBytes();
    }
  }

 private:
  struct Item {
    size_t operation;
    int64_t chunk;
  };

  // By the middles of the chunks, as fractions of their operations.
  void merge() {
    order_.clear();
    for (size_t i = 0; i < operations_.size(); ++i) {
      for (int64_t chunk = 0; chunk < counts_[i]; ++chunk) order_.push_back({i, chunk});
    }
    const auto middle = [&](const Item& item) {
      return (static_cast<double>(item.chunk) + 0.5) / static_cast<double>(counts_[item.operation]);
    };
    std::stable_sort(order_.begin(), order_.end(), [&](const Item& a, const Item& b) { return middle(a) < middle(b); });
  }

  const std::vector<std::unique_ptr<CpuOperation>> operations_;
  std::vector<int64_t> counts_;  // of their chunks
  std::vector<Item> order_;
  int64_t perChunk_ = 1;
};

}  // namespace

std::unique_ptr<CpuOperation> makeInterleaved(std::vector<std::unique_ptr<CpuOperation>> operations) {
  return std::make_unique<InterleavedOperation>(std::move(operations));
}

}  // namespace td
