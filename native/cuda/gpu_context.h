// A GPU as C++ objects over the table of gpu.h: what they open they close, and what fails throws Failure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/device.h"
#include "cuda/gpu.h"

namespace td {

// An open device. Streams, events and memory keep it open.
class Gpu {
 public:
  // name: "cuda:0", for messages. settings: see td_gpu_table::open.
  Gpu(std::string name, const td_gpu_table& table, int32_t index, const std::string& settings);
  ~Gpu();
  Gpu(const Gpu&) = delete;

  const std::string& name() const { return name_; }
  const td_gpu_table& table() const { return table_; }
  td_gpu* handle() const { return handle_; }
  // Throws what a function of the table returned, if that is a failure.
  void check(td_gpu_status status) const;

 private:
  std::string name_;
  const td_gpu_table& table_;
  td_gpu* handle_ = nullptr;
};

class GpuEvent {
 public:
  explicit GpuEvent(std::shared_ptr<Gpu> gpu);
  ~GpuEvent();
  GpuEvent(const GpuEvent&) = delete;
  td_gpu_event* handle() const { return handle_; }
  // The caller waits until its last record has happened; at once if it has none.
  void await();

 private:
  std::shared_ptr<Gpu> gpu_;
  td_gpu_event* handle_ = nullptr;
};

class GpuStream {
 public:
  explicit GpuStream(std::shared_ptr<Gpu> gpu);
  // What is in the stream must have happened: synchronize() first.
  ~GpuStream();
  GpuStream(const GpuStream&) = delete;
  td_gpu_stream* handle() const { return handle_; }

  void copy(uint64_t to, uint64_t from, int64_t bytes, td_gpu_direction direction);
  void fill(uint64_t address, uint8_t value, int64_t bytes);
  void record(const GpuEvent& event);
  void wait(const GpuEvent& event);
  void call(void (*function)(void*), void* argument);
  void synchronize();
  // For destructors: the stream is idle afterwards, or its device lost. Whether all that was in it has happened.
  bool settle() noexcept;

 private:
  std::shared_ptr<Gpu> gpu_;
  td_gpu_stream* handle_ = nullptr;
};

// Memory of the host that copies and kernels reach: zero-filled. Its address is the same on both sides.
class PinnedMemory {
 public:
  PinnedMemory(std::shared_ptr<Gpu> gpu, int64_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  uint8_t* data() const { return static_cast<uint8_t*>(memory_); }
  int64_t size() const { return bytes_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  int64_t bytes_;
  void* memory_ = nullptr;
};

}  // namespace td
