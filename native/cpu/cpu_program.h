// A program compiled for the CPU. The compute stream is a job of the thread pool: its operations' passes are the job's
// stages, and the workers stay inside for the whole step. Other streams have a thread of their own each, for copies
// that overlap with compute.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/cpu_device.h"
#include "cpu/cpu_operation.h"

namespace td {

// What the streams of one run share: whether to go on, and the events.
class RunState {
 public:
  explicit RunState(int events) : signalled_(static_cast<size_t>(events)) {}

  void start(const std::atomic<bool>* abort);
  // Keeps the first failure and wakes all who wait.
  void fail(std::exception_ptr failure);
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

class CpuProgram final : public Executable {
 public:
  CpuProgram(std::shared_ptr<CpuDevice> device, const Program& program);
  ~CpuProgram() override;
  void run(const std::atomic<bool>* abort) override;

 private:
  struct Entry {
    std::unique_ptr<CpuOperation> operation;  // null for signal and wait
    WorkNeed work{};
    int signal = -1, wait = -1;
    const int32_t* extent = nullptr;
    int64_t mostRows = 0;
    std::chrono::nanoseconds minimum{0};
  };
  class ComputeStream;
  class CopyStream;

  // The number of rows of an operation about to start, checked.
  static int64_t rowsOf(const Entry& entry);
  // The worker's own part of the work memory, as the operation divides it.
  uint8_t* workOf(const Entry& entry, int worker) const;

  std::shared_ptr<CpuDevice> device_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::shared_ptr<Buffer> work_;  // null where no operation needs any
  RunState state_;
  std::unique_ptr<ComputeStream> compute_;
  std::vector<std::unique_ptr<CopyStream>> copies_;
};

}  // namespace td
