// What the functions of a device return: nothing, or what went wrong. No exception leaves them.
#pragma once

#if !defined(__CUDACC__)
#include <string>
#include <utility>
#endif

namespace td {

// std::string would tie libtandem_cuda.so to one release of glibc; what it says is constant.
#if defined(__CUDACC__)
using DeviceMessage = const char*;
#else
using DeviceMessage = std::string;
#endif

enum class DeviceFault {
  none,
  invalidArgument,  // the call cannot be carried out; everything else goes on
  outOfMemory,
  notReady,      // of queries: not done yet
  cancelled,     // dropped before it began
  copyFailed,    // the stream is spoilt
  kernelFailed,  // the stream is spoilt
  lost           // the device is
};

class [[nodiscard]] DeviceError {
 public:
  DeviceError() = default;
#if defined(__CUDACC__)
  DeviceError(DeviceFault fault, DeviceMessage message) : fault_(fault), message_(message) {}
#else
  DeviceError(DeviceFault fault, DeviceMessage message) : fault_(fault), message_(std::move(message)) {}
#endif

  explicit operator bool() const { return fault_ != DeviceFault::none; }
  DeviceFault fault() const { return fault_; }
  // A sentence that names the thing, the value and, where there is one, the remedy.
  const DeviceMessage& message() const { return message_; }

 private:
  DeviceFault fault_ = DeviceFault::none;
  DeviceMessage message_{};
};

}  // namespace td
