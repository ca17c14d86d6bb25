#include "core/run_state.h"

#include "core/futex.h"
#include "core/status.h"

namespace td {

void RunState::start(const std::atomic<bool>* abort) {
  ++run_;
  abort_ = abort;
  stopped_.store(false, std::memory_order_relaxed);
  aborted_.store(false, std::memory_order_relaxed);
  failure_ = nullptr;
}

void RunState::fail(std::exception_ptr failure, bool explainsOthers) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_ || explainsOthers) failure_ = std::move(failure);
  }
  stopped_.store(true, std::memory_order_release);
  for (Event& event : signalled_) futexWake(event.run);
}

void RunState::signal(int event) {
  std::atomic<uint32_t>& word = signalled_[static_cast<size_t>(event)].run;
  word.store(run_, std::memory_order_release);
  futexWake(word);
}

void RunState::wait(int event) {
  std::atomic<uint32_t>& word = signalled_[static_cast<size_t>(event)].run;
  for (int i = 0; i < kPausesBeforeSleep; ++i) {
    if (word.load(std::memory_order_acquire) == run_) return;
    pauseCpu();
  }
  // A sleeper wakes now and then to look at the abort flag, which nobody announces.
  for (uint32_t seen = word.load(std::memory_order_acquire); seen != run_ && goesOn();
       seen = word.load(std::memory_order_acquire)) {
    futexWaitFor(word, seen, 2'000'000);
  }
}

void RunState::finish() {
  if (failure_) std::rethrow_exception(failure_);
  if (aborted_.load(std::memory_order_relaxed)) td::fail(TD_ABORTED, "the run was aborted");
}

}  // namespace td
