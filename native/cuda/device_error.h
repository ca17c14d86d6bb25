// What the functions of a device return: nothing, or what went wrong. No exception leaves them.
#pragma once

#include <string>
#include <utility>

namespace td {

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
  DeviceError(DeviceFault fault, std::string message) : fault_(fault), message_(std::move(message)) {}

  explicit operator bool() const { return fault_ != DeviceFault::none; }
  DeviceFault fault() const { return fault_; }
  // A sentence that names the thing, the value and, where there is one, the remedy.
  const std::string& message() const { return message_; }

 private:
  DeviceFault fault_ = DeviceFault::none;
  std::string message_;
};

}  // namespace td
