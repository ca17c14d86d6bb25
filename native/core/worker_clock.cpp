#include "core/worker_clock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/futex.h"

namespace td {
namespace {

// The kernel's account of the calling thread: time on a core, time ready without one, slices.
class SchedulerAccount {
 public:
  SchedulerAccount() : file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  ~SchedulerAccount() {
    if (file_ >= 0) close(file_);
  }
  SchedulerAccount(const SchedulerAccount&) = delete;
  SchedulerAccount& operator=(const SchedulerAccount&) = delete;

  int64_t waitedNanos() const {
    char text[128];
    const ssize_t length = file_ < 0 ? 0 : pread(file_, text, sizeof text, 0);
    int64_t ran = 0, waited = 0;
    const char* const end = text + std::max<ssize_t>(length, 0);
    const auto first = std::from_chars(text, end, ran);
    if (first.ec != std::errc() || first.ptr == end) return 0;
    return std::from_chars(first.ptr + 1, end, waited).ec == std::errc() ? waited : 0;
  }

 private:
  int file_;
};

class SystemClock final : public WorkerClock {
 public:
  int64_t nanos() override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
  int64_t waitedNanos() override {
    thread_local const SchedulerAccount account;
    return account.waitedNanos();
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
