// The CPU as a device: memory of the host, a thread pool, and the kernels of one instruction set.
#pragma once

#include <memory>
#include <mutex>

#include "core/device.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/limits.h"

namespace td {

class CpuDevice final : public Device, public std::enable_shared_from_this<CpuDevice> {
 public:
  // topology, place: the machine's, or what a test makes up.
  CpuDevice(td_isa isa, int threads, int64_t memoryLimit, const Topology& topology = Topology::read(),
            PlaceRange place = placeOnNode);

  const std::string& name() const override { return name_; }
  int64_t property(int32_t property) const override;
  double limit(int32_t kind, int32_t milliseconds) override {
    return measureLimit(*this, static_cast<td_limit>(kind), milliseconds);
  }
  int32_t activationType(int32_t weightType) const override { return kernels_.activationType(weightType); }
  int64_t workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const override;
  int64_t workBytesOfAttention(int heads, int kvHeads, int headSize) const override;
  int64_t workBytesOfSelect(int64_t rows, int64_t vocabulary) const override;
  int64_t workBytesOfPick(int64_t rows, int64_t vocabulary) const override;
  std::shared_ptr<Buffer> allocate(int64_t bytes) override;
  std::shared_ptr<Buffer> allocateShared(int64_t bytes) override { return allocate(bytes); }
  std::shared_ptr<Buffer> window(std::shared_ptr<File> file, int64_t offset, int64_t bytes) override;
  void write(Buffer& buffer, int64_t offset, const void* source, int64_t bytes) override;
  void read(const Buffer& buffer, int64_t offset, void* destination, int64_t bytes) override;
  void load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
            int64_t bufferOffset, int32_t targetType, td_layout layout) override;
  std::unique_ptr<Executable> compile(const Program& program) override;

  const Kernels& kernels() const { return kernels_; }
  ThreadPool& pool() { return pool_; }
  // Held by the run of a program, from the start of its streams to the end of all: runs on one device follow one
  // another.
  std::mutex& turn() { return turn_; }
  MemoryAccount& account() { return *account_; }

 private:
  std::string name_ = "cpu";
  const Kernels& kernels_;
  ThreadPool pool_;
  const PlaceRange place_;
  std::mutex turn_;
  std::shared_ptr<MemoryAccount> account_;  // shared with the buffers, which may outlive the device
};

std::shared_ptr<Device> openCpuDevice(const char* isa, int threads, int64_t memoryLimit);

}  // namespace td
