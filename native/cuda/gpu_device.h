// A GPU as a device: memory with a limit of its own, streams, and programs whose operations are put into these streams.
// The real one and the emulated one differ in the table that they are opened with (gpu.h).
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/device.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cuda/gpu_context.h"
#include "cuda/gpu_transfer.h"

namespace td {

struct GpuKernels;

// How operations are computed.
enum class GpuMode {
  kernels,  // by the device's own kernels
  host      // by the CPU's, on memory, streams and copies of an emulated device: as fast as the CPU, for schedules and
            // whole models (emulated:N/host)
};

class GpuDevice final : public Device, public std::enable_shared_from_this<GpuDevice> {
 public:
  // isa: of the CPU's kernels; threads: of the host. memoryLimit: bytes; 0 = what the device has.
  GpuDevice(std::shared_ptr<Gpu> gpu, GpuMode mode, td_isa isa, int threads, int64_t memoryLimit);

  const std::string& name() const override { return gpu_->name(); }
  int64_t property(int32_t property) const override;
  double limit(int32_t kind, int32_t milliseconds) override;
  int32_t activationType(int32_t weightType) const override;
  int64_t workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const override;
  int64_t workBytesOfAttention(int heads, int kvHeads, int headSize) const override;
  int64_t workBytesOfSelect(int64_t rows, int64_t vocabulary) const override;
  int64_t workBytesOfPick(int64_t rows, int64_t vocabulary) const override;
  std::shared_ptr<Buffer> allocate(int64_t bytes) override;
  std::shared_ptr<Buffer> allocateShared(int64_t bytes) override;
  std::shared_ptr<Buffer> window(std::shared_ptr<File> file, int64_t offset, int64_t bytes) override;
  void write(Buffer& buffer, int64_t offset, const void* source, int64_t bytes) override;
  void read(const Buffer& buffer, int64_t offset, void* destination, int64_t bytes) override;
  void load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
            int64_t bufferOffset, int32_t targetType, td_layout layout) override;
  std::unique_ptr<Executable> compile(const Program& program) override;

  // Where the host reaches memory of an emulated device.
  uint8_t* hostView(const uint8_t* address) const;
  const std::shared_ptr<Gpu>& gpu() const { return gpu_; }
  bool runsOnHost() const { return pool_ != nullptr; }
  // The CPU's, for what the host computes.
  const Kernels& kernels() const { return kernels_; }
  // Where it runs on the host.
  ThreadPool& pool() { return *pool_; }
  // Where it does not.
  const GpuKernels& gpuKernels() const;
  // Held by the run of a program: runs on one device follow one another.
  std::mutex& turn() { return turn_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  const Kernels& kernels_;
  int threads_;
  std::unique_ptr<ThreadPool> pool_;  // null where the device has kernels
  std::mutex turn_;
  std::shared_ptr<MemoryAccount> account_;
  GpuTransfers transfers_;
};

}  // namespace td
