// A device's memory, in an address space of its own, and the host memory that it reaches.
//
// Addresses are numbers that no processor takes for pointers: whoever follows one on the host crashes there and then.
// No address is given twice, so that one of released memory is known as such.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/device_error.h"
#include "cuda/device_span.h"
#include "cuda/emulated/shadow.h"
#include "cuda/emulated/timeline.h"

namespace td::emulated {

// A piece of memory that was allocated, or pinned, as a whole.
struct Allocation {
  DeviceAddress address = 0;
  size_t bytes = 0;
  std::byte* data = nullptr;
  bool pinned = false;             // the host's
  std::unique_ptr<Shadow> shadow;  // of device memory, where views are checked
  std::atomic<bool> released{false};

  Allocation() = default;
  ~Allocation();
  Allocation(const Allocation&) = delete;
};

// Where a range of addresses lies; keeps it alive.
struct Place {
  std::shared_ptr<Allocation> allocation;
  size_t offset = 0;

  std::byte* data() const { return allocation == nullptr ? nullptr : allocation->data + offset; }
};

class Memory {
 public:
  // For device number `index`; `limit` in bytes, 0: none.
  Memory(int index, int64_t limit, bool shadowed);

  DeviceError allocate(int64_t bytes, DeviceAddress* address);
  DeviceError release(DeviceAddress address);
  int64_t used() const;
  int64_t peak() const;
  int64_t limit() const { return limit_; }

  // Makes memory of the host reachable for kernels and for copies that go on by themselves. The address by which
  // kernels reach it is its own.
  DeviceError pin(void* memory, int64_t bytes);
  DeviceError unpin(void* memory);

  // What lies at [address, address + bytes): device memory or pinned memory. `what` begins the message if there is
  // none.
  DeviceError find(DeviceAddress address, int64_t bytes, const std::string& what, Place* place) const;
  // The same for memory of the host, which may be none of ours: then `place` stays empty.
  DeviceError findHost(const void* memory, int64_t bytes, const std::string& what, Place* place) const;

 private:
  std::shared_ptr<Allocation> lookUp(DeviceAddress address) const;
  std::string whyNot(DeviceAddress address) const;

  const DeviceAddress base_;
  const int index_;
  const int64_t limit_;
  const bool shadowed_;
  mutable std::mutex mutex_;
  std::map<DeviceAddress, std::shared_ptr<Allocation>> allocations_;  // by their last byte
  DeviceAddress next_;
  int64_t used_ = 0, peak_ = 0;
};

}  // namespace td::emulated
