// A program compiled for the CPU. The compute stream is a job of the thread pool: its operations' passes are the job's
// stages, and the workers stay inside for the whole step. Other streams have a thread of their own each, for copies
// that overlap with compute.
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "core/run_state.h"
#include "cpu/cpu_device.h"
#include "cpu/cpu_operation.h"

namespace td {

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
