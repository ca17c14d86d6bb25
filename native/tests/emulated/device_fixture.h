// What the tests of the emulated device share: a device with a stream, and arrays in its memory.
#pragma once

#include <memory>
#include <vector>

#include "cuda/emulated/device.h"
#include "cuda/emulated/told.h"
#include "testing.h"

namespace td::testing {

using emulated::Device;
using emulated::DeviceSettings;
using emulated::Event;
using emulated::Faults;
using emulated::Stream;
using emulated::ThreadOrder;

inline ::testing::AssertionResult ok(const DeviceError& error) {
  if (!error) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << error.message();
}

inline ::testing::AssertionResult fails(const DeviceError& error, DeviceFault fault, const std::string& part) {
  if (error.fault() == fault && error.message().find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "fault " << static_cast<int>(error.fault()) << ": '" << error.message()
                                       << "', without '" << part << "'";
}

// The same of what launchers in a table return.
inline ::testing::AssertionResult ok(td_gpu_status status) {
  if (status == TD_GPU_OK) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << emulated::lastMessage();
}
inline ::testing::AssertionResult refuses(td_gpu_status status, const std::string& part) {
  if (status == TD_GPU_FAILED && emulated::lastMessage().find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "status " << status << ": '" << emulated::lastMessage() << "', without '"
                                       << part << "'";
}

// Elements in device memory, of a name for reports.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Device& device, int64_t count, const char* name = nullptr) : device_(device), count_(count), name_(name) {
    EXPECT_TRUE(ok(device.allocate(count * static_cast<int64_t>(sizeof(T)), &address_)));
  }
  DeviceArray(Device& device, Stream& stream, const std::vector<T>& values, const char* name = nullptr)
      : DeviceArray(device, static_cast<int64_t>(values.size()), name) {
    write(stream, values);
  }
  ~DeviceArray() { EXPECT_NE(DeviceFault::invalidArgument, device_.release(address_).fault()); }
  DeviceArray(const DeviceArray&) = delete;

  void write(Stream& stream, const std::vector<T>& values) {
    EXPECT_TRUE(ok(stream.copyToDevice(address_, values.data(), bytes(values.size()))));
  }
  std::vector<T> read(Stream& stream) const {
    std::vector<T> values(static_cast<size_t>(count_));
    EXPECT_TRUE(ok(stream.copyToHost(values.data(), address_, bytes(values.size()))));
    return values;
  }

  DeviceAddress address() const { return address_; }
  int64_t count() const { return count_; }
  DeviceSpan<T> span() const { return {address_, count_, name_}; }
  DeviceSpan<const T> input() const { return {address_, count_, name_}; }
  ReadOnlySpan<T> readOnly() const { return {address_, count_, name_}; }

 private:
  static int64_t bytes(size_t count) { return static_cast<int64_t>(count * sizeof(T)); }

  Device& device_;
  int64_t count_;
  const char* name_;
  DeviceAddress address_ = 0;
};

// A device for kernels as this file is compiled, and a stream of it.
struct OpenDevice {
  explicit OpenDevice(DeviceSettings settings) : device(settings), stream(device) {}

  Device device;
  Stream stream;
};

// Every order in which a kernel's threads are to give the same.
struct Order {
  ThreadOrder order;
  uint64_t seed;
};
inline std::vector<Order> orders() {
  if (kThreadSanitizer) return {{ThreadOrder::ascending, 1}, {ThreadOrder::random, seed()}};  // it orders by itself
  return {{ThreadOrder::ascending, 1},
          {ThreadOrder::descending, 1},
          {ThreadOrder::random, seed()},
          {ThreadOrder::random, seed() + 1}};
}

}  // namespace td::testing
