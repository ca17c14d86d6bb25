// The emulated device: memory with a limit, streams, and what is to go wrong with them. See docs/emulator.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "cuda/device_error.h"
#include "cuda/emulated/crew.h"
#include "cuda/emulated/event.h"
#include "cuda/emulated/faults.h"
#include "cuda/emulated/memory.h"
#include "cuda/emulated/stream.h"
#include "cuda/emulated/timeline.h"

namespace td::emulated {

struct DeviceSettings {
  int index = 0;            // it is emulated:N
  int64_t memoryLimit = 0;  // bytes; 0: none
  // Kernels with checked views, or with raw ones: a device takes one kind, because what is known of its memory must be
  // all that happens to it.
  bool checked = false;
  int threads = 0;  // of the host, for the blocks of a launch with raw views; 0: all
  Faults faults = {};
};

class Device {
 public:
  explicit Device(const DeviceSettings& settings);
  ~Device();  // after its streams
  Device(const Device&) = delete;

  // The content is undefined; aligned to 256 bytes.
  DeviceError allocate(int64_t bytes, DeviceAddress* address);
  // Memory must be out of use: an operation that comes to it later fails.
  DeviceError release(DeviceAddress address);
  DeviceError pin(void* memory, int64_t bytes);
  DeviceError unpin(void* memory);
  int64_t memoryUsed() const { return memory_.used(); }
  int64_t memoryPeak() const { return memory_.peak(); }

  // Where the host may reach device memory, for those who carry out a stream's work on the host; null if there is none.
  std::byte* hostView(DeviceAddress address, int64_t bytes) const;

  // From now on every call of this device and its streams fails.
  void lose();
  // What has spoilt the whole device, if anything.
  DeviceError error() const;

  const DeviceSettings& settings() const { return settings_; }

 private:
  friend class Stream;

  void spoil(DeviceError error);

  const DeviceSettings settings_;
  Memory memory_;
  Crew crew_;
  Timeline timeline_;
  std::mutex checking_;  // one checked operation at a time, so that what they know needs no other lock
  std::atomic<int64_t> allocations_{0}, copies_{0}, launches_{0}, operations_{0};
  mutable std::mutex errorMutex_;
  DeviceError error_;
};

}  // namespace td::emulated
