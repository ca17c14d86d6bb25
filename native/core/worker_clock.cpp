#include "core/worker_clock.h"

#include <sys/resource.h>

#include <chrono>

#include "core/futex.h"

namespace td {
namespace {

class SystemClock final : public WorkerClock {
 public:
  int64_t nanos() override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
  int64_t preemptions() override {
    rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
  }
  void sleep(const std::atomic<uint32_t>& word, uint32_t expected, int64_t nanos) override {
    futexWaitFor(word, expected, nanos);
  }
};

}  // namespace

WorkerClock& WorkerClock::system() {
  static SystemClock clock;
  return clock;
}

}  // namespace td
