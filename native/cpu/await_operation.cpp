// Waiting for the host: passes without chunks, one after another, until the word is there. Between two passes the run
// looks whether it was aborted. The host is no thread of ours and wakes nobody, so this sleeps for a fraction of a
// millisecond at a time; meanwhile the other workers sleep as well, and leave the cores to those who load.
#include <atomic>
#include <chrono>
#include <thread>

#include "core/status.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

class AwaitOperation final : public CpuOperation {
 public:
  explicit AwaitOperation(const op::Await& o) : word_(*o.word.as<int32_t>()), value_(o.value) {}

  int passes() const override { return reached_ ? opened_ : -1; }

  int64_t open(int pass, int64_t) override {
    if (pass > 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    const int32_t now = word_.load(std::memory_order_acquire);
    if (now < 0) fail(TD_INTERRUPTED, "what the run needs will not come (await: word is %d)", now);
    reached_ = now >= value_;
    opened_ = pass + 1;
    return 0;
  }

  void run(int, int64_t, uint8_t*) override {}

 private:
  const std::atomic_ref<int32_t> word_;
  const int32_t value_;
  bool reached_ = false;
  int opened_ = 1;  // in this run, once open() has been called; never 0, so that each run opens it
};

}  // namespace

std::unique_ptr<CpuOperation> makeAwait(const op::Await& operation) {
  return std::make_unique<AwaitOperation>(operation);
}

}  // namespace td
