// A program compiled for a GPU. A run puts its operations into the device's streams, in the order of the list, and
// waits for them; events of the device order what different streams do.
//
// It never runs far ahead of the device: so that a run that is aborted ends soon, whatever the model.
#pragma once

#include <memory>
#include <vector>

#include "core/run_state.h"
#include "cuda/gpu_device.h"
#include "cuda/gpu_step.h"

namespace td {

class GpuProgram final : public Executable {
 public:
  GpuProgram(std::shared_ptr<GpuDevice> device, const Program& program);
  ~GpuProgram() override;
  void run(const std::atomic<bool>* abort) override;

 private:
  class Signal;
  class Wait;
  class Await;
  class Copy;
  class Lead;

  // The step of the first entry, or of it and those that follow; returns of how many.
  int add(std::span<const ProgramEntry> entries);
  // Memory to work in: for each stream one piece, since its steps follow one another, and those of others do not.
  void giveWork(std::span<const size_t> streamOf);
  // Of all operations of a run that starts now.
  int64_t mostRows() const;

  std::shared_ptr<GpuDevice> device_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::vector<const int32_t*> extents_;
  std::shared_ptr<Buffer> work_;  // null where no operation needs any
  RunState state_{0};
  std::vector<std::unique_ptr<GpuEvent>> events_;
  std::vector<std::unique_ptr<GpuStream>> streams_;
  std::vector<std::unique_ptr<GpuStep>> steps_;
  std::unique_ptr<Lead> lead_;
};

}  // namespace td
