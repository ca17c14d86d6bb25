// A program compiled for a GPU. A run puts all its operations into the device's streams, in the order of the list, and
// waits for them; events of the device order what different streams do.
//
// Operations are the CPU's, called by the stream when their turn comes, on memory of an emulated device that the host
// sees. What copies is copied by the device.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "core/run_state.h"
#include "cpu/cpu_operation.h"
#include "cuda/gpu_device.h"

namespace td {

class GpuProgram final : public Executable {
 public:
  GpuProgram(std::shared_ptr<GpuDevice> device, const Program& program);
  ~GpuProgram() override;
  void run(const std::atomic<bool>* abort) override;

 private:
  class Step;
  class Signal;
  class Wait;
  class Copy;
  class Compute;

  void add(const ProgramEntry& entry);

  std::shared_ptr<GpuDevice> device_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::shared_ptr<Buffer> work_;  // null where no operation needs any
  RunState state_{0};
  std::vector<std::unique_ptr<GpuEvent>> events_;
  std::vector<std::unique_ptr<GpuStream>> streams_;
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace td
