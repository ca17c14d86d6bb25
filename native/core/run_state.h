// What the streams of one run of a program share: whether to go on, and the events.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

namespace td {

class RunState {
 public:
  explicit RunState(int events) : signalled_(static_cast<size_t>(events)) {}

  void start(const std::atomic<bool>* abort);
  // Wakes all who wait, and keeps the failure: the first, or one that explains those before it.
  void fail(std::exception_ptr failure, bool explainsOthers = false);
  // True while the run should go on: nothing failed and nobody aborted. Once false it stays false for this run, even if
  // the flag is cleared: work has been left out.
  bool goesOn() {
    if (stopped_.load(std::memory_order_relaxed)) return false;
    if (abort_ == nullptr || !abort_->load(std::memory_order_relaxed)) return true;
    aborted_.store(true, std::memory_order_relaxed);
    stopped_.store(true, std::memory_order_release);
    return false;
  }
  void signal(int event);
  // Waits for the event, or until the run stops.
  void wait(int event);
  // Throws the failure, or TD_ABORTED if work was left out because somebody aborted.
  void finish();

 private:
  struct alignas(64) Event {
    std::atomic<uint32_t> run{0};
  };

  std::vector<Event> signalled_;  // per event, the number of the last run that signalled it
  uint32_t run_ = 0;
  const std::atomic<bool>* abort_ = nullptr;
  std::atomic<bool> stopped_{false}, aborted_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace td
