#include "cuda/emulated/device.h"

#include <thread>

namespace td::emulated {
namespace {

// The stream's own thread takes part.
int helpersFor(const DeviceSettings& settings) {
  if (settings.checked || kThreadSanitized) return 0;
  const int threads = settings.threads > 0 ? settings.threads : static_cast<int>(std::thread::hardware_concurrency());
  return std::max(0, threads - 1);
}

}  // namespace

Device::Device(const DeviceSettings& settings)
    : settings_(settings),
      memory_(settings.index, settings.memoryLimit, settings.checked),
      crew_(helpersFor(settings)) {}

Device::~Device() = default;

DeviceError Device::allocate(int64_t bytes, DeviceAddress* address) {
  if (DeviceError spoilt = error()) return spoilt;
  if (++allocations_ == settings_.faults.failAllocation) {
    return {DeviceFault::outOfMemory, "emulated:" + std::to_string(settings_.index) + " has no " +
                                          std::to_string(bytes) + " bytes left: allocation " +
                                          std::to_string(settings_.faults.failAllocation) + " is to fail"};
  }
  return memory_.allocate(bytes, address);
}

DeviceError Device::release(DeviceAddress address) {
  const DeviceError released = memory_.release(address);
  DeviceError spoilt = error();
  return spoilt ? spoilt : released;
}

DeviceError Device::pin(void* memory, int64_t bytes) {
  if (DeviceError spoilt = error()) return spoilt;
  return memory_.pin(memory, bytes);
}

DeviceError Device::unpin(void* memory) {
  const DeviceError unpinned = memory_.unpin(memory);
  DeviceError spoilt = error();
  return spoilt ? spoilt : unpinned;
}

std::byte* Device::hostView(DeviceAddress address, int64_t bytes) const {
  Place place;
  if (memory_.find(address, bytes, "host view", &place)) return nullptr;
  return place.data();
}

void Device::lose() {
  spoil({DeviceFault::lost, "emulated:" + std::to_string(settings_.index) + " is lost"});
}

DeviceError Device::error() const {
  const std::lock_guard lock(errorMutex_);
  return error_;
}

void Device::spoil(DeviceError error) {
  const std::lock_guard lock(errorMutex_);
  if (!error_) error_ = std::move(error);
}

}  // namespace td::emulated
