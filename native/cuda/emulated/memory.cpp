#include "cuda/emulated/memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/status.h"

namespace td::emulated {
namespace {

constexpr DeviceAddress kDevices = 0x00d0'0000'0000'0000;  // not canonical: bits 48 to 63 are not all alike
constexpr int kDeviceBits = 44;                            // 16 TiB of addresses for each
constexpr size_t kAlignment = 256;

std::string hex(DeviceAddress address) {
  char text[32];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

int64_t rounded(int64_t bytes) {
  constexpr auto alignment = static_cast<int64_t>(kAlignment);
  return std::max<int64_t>(1, (bytes + alignment - 1) / alignment) * alignment;
}

}  // namespace

Allocation::~Allocation() {
  if (!pinned) std::free(data);
}

Memory::Memory(int index, int64_t limit, bool shadowed)
    : base_(kDevices + (static_cast<DeviceAddress>(index) << kDeviceBits)),
      index_(index),
      limit_(limit),
      shadowed_(shadowed),
      next_(base_ + kAlignment) {}

DeviceError Memory::allocate(int64_t bytes, DeviceAddress* address) {
  if (bytes < 0) return {DeviceFault::invalidArgument, "allocate: " + std::to_string(bytes) + " bytes"};
  const std::lock_guard lock(mutex_);
  const int64_t taken = rounded(bytes);
  if (limit_ > 0 && taken > limit_ - used_) {
    return {DeviceFault::outOfMemory, "emulated:" + std::to_string(index_) + " has no " + bytesText(bytes) +
                                          " left: " + bytesText(used_) + " of " + bytesText(limit_) + " are in use"};
  }
  // Not rounded up, so that the address sanitizer sees the first byte behind it.
  const auto size = static_cast<size_t>(std::max<int64_t>(bytes, 1));
  auto made = std::make_shared<Allocation>();
  void* data = nullptr;
  try {
    if (shadowed_) made->shadow = std::make_unique<Shadow>(size);
    if (posix_memalign(&data, kAlignment, size) != 0) throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
    return {DeviceFault::outOfMemory, "emulated:" + std::to_string(index_) + ": the host has no " + bytesText(bytes) +
                                          " for the memory of this device"};
  }
  memset(data, 0xff, size);  // NaN
  made->data = static_cast<std::byte*>(data);
  made->bytes = size;
  made->address = next_;
  *address = next_;
  next_ += static_cast<DeviceAddress>(taken) + kAlignment;  // a gap, which belongs to nobody
  allocations_[made->address + size - 1] = std::move(made);
  used_ += taken;
  peak_ = std::max(peak_, used_);
  return {};
}

DeviceError Memory::release(DeviceAddress address) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.lower_bound(address);
  if (found == allocations_.end() || found->second->address != address || found->second->pinned) {
    return {DeviceFault::invalidArgument,
            "release: " + hex(address) + " is no address that allocate() gave, or " + "has been released already"};
  }
  found->second->released = true;
  used_ -= rounded(static_cast<int64_t>(found->second->bytes));
  allocations_.erase(found);
  return {};
}

int64_t Memory::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

int64_t Memory::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

DeviceError Memory::pin(void* memory, int64_t bytes) {
  const auto address = reinterpret_cast<DeviceAddress>(memory);
  if (memory == nullptr || bytes <= 0) {
    return {DeviceFault::invalidArgument, "pin: " + std::to_string(bytes) + " bytes at " + hex(address)};
  }
  const std::lock_guard lock(mutex_);
  const auto next = allocations_.lower_bound(address);
  if (next != allocations_.end() && next->second->address < address + static_cast<DeviceAddress>(bytes)) {
    return {DeviceFault::invalidArgument, "pin: " + std::to_string(bytes) + " bytes at " + hex(address) +
                                              " overlap what is pinned at " + hex(next->second->address)};
  }
  auto made = std::make_shared<Allocation>();
  made->address = address;
  made->bytes = static_cast<size_t>(bytes);
  made->data = static_cast<std::byte*>(memory);
  made->pinned = true;
  allocations_[address + made->bytes - 1] = std::move(made);
  return {};
}

DeviceError Memory::unpin(void* memory) {
  const auto address = reinterpret_cast<DeviceAddress>(memory);
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.lower_bound(address);
  if (found == allocations_.end() || found->second->address != address || !found->second->pinned) {
    return {DeviceFault::invalidArgument, "unpin: nothing is pinned at " + hex(address)};
  }
  found->second->released = true;
  allocations_.erase(found);
  return {};
}

std::shared_ptr<Allocation> Memory::lookUp(DeviceAddress address) const {
  const auto found = allocations_.lower_bound(address);
  return found != allocations_.end() && found->second->address <= address ? found->second : nullptr;
}

// Of an address that belongs to nothing.
std::string Memory::whyNot(DeviceAddress address) const {
  constexpr DeviceAddress size = DeviceAddress{1} << kDeviceBits;
  if (address == 0) return "is null";
  if (address >= base_ && address < next_) return "is no memory of this device, or has been released";
  if (address >= base_ && address < base_ + size) return "is behind all memory of this device";
  if (address >= kDevices && address < kDevices + 16 * size) {
    return "belongs to emulated:" + std::to_string((address - kDevices) >> kDeviceBits) + ", another device";
  }
  return "is a host address that is not pinned: kernels reach the device's memory and pinned memory alone";
}

DeviceError Memory::find(DeviceAddress address, int64_t bytes, const std::string& what, Place* place) const {
  const std::lock_guard lock(mutex_);
  auto found = lookUp(address);
  if (bytes < 0) return {DeviceFault::invalidArgument, what + ": " + std::to_string(bytes) + " bytes"};
  if (found == nullptr) return {DeviceFault::invalidArgument, what + ": " + hex(address) + " " + whyNot(address)};
  const size_t offset = address - found->address;
  if (static_cast<size_t>(bytes) > found->bytes - offset) {
    return {DeviceFault::invalidArgument, what + ": " + std::to_string(bytes) + " bytes from " + hex(address) +
                                              " are more than the " + std::to_string(found->bytes - offset) +
                                              " that are left of its allocation"};
  }
  *place = {std::move(found), offset};
  return {};
}

DeviceError Memory::findHost(const void* memory, int64_t bytes, const std::string& what, Place* place) const {
  const auto address = reinterpret_cast<DeviceAddress>(memory);
  {
    const std::lock_guard lock(mutex_);
    const auto found = lookUp(address);
    if (address >> 47 != 0) {
      return {DeviceFault::invalidArgument, what + ": " + hex(address) + " is no address of the host"};
    }
    if (found == nullptr) return {};
  }
  return find(address, bytes, what, place);
}

}  // namespace td::emulated
