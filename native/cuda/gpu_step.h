// Something that a run of a program puts into a stream of a GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/operations.h"
#include "core/run_state.h"
#include "cuda/gpu_context.h"

namespace td {

class GpuDevice;

class GpuStep {
 public:
  virtual ~GpuStep() = default;
  // Returns before it has happened. Throws Failure.
  virtual void enqueue() = 0;
  // Bytes of the device that it works in. The steps of a stream share them, since one follows another.
  virtual int64_t workBytes() const { return 0; }
  virtual void useWork(uint64_t) {}
  // Called when all of a run has happened: throws what the device found wrong in the data.
  virtual void check() {}
};

// Where a step is to go, and whom to tell of a failure. Valid as long as the program is.
struct GpuStepPlace {
  GpuDevice& device;
  GpuStream& stream;
  RunState& state;
};

// Operations that each device has in its own way:
// one of the CPU's, called by the stream, on memory of an emulated device that the host sees (emulated:N/host);
std::unique_ptr<GpuStep> makeHostStep(const GpuStepPlace& place, const ProgramEntry& entry);
// kernels of the device's own. The first of `entries`, and what follows that can be one kernel with it; returns how
// many that are;
int addKernelStep(const GpuStepPlace& place, std::span<const ProgramEntry> entries,
                  std::vector<std::unique_ptr<GpuStep>>& steps);
// and a draw from whole rows by the host, which gets them copied: such draws are rare, and sort in an order that is the
// same everywhere.
std::unique_ptr<GpuStep> makePickStep(const GpuStepPlace& place, const op::Pick& operation, const ProgramEntry& entry);

inline uint64_t gpuAddress(const void* memory) {
  return reinterpret_cast<uint64_t>(memory);
}

}  // namespace td
