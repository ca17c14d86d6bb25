// How a launcher names memory to a kernel: by device address and number of elements. The kernel's parameter is a
// Global<T> (views.h): on a GPU the address, on the emulated device a window whose bounds are these.
#pragma once

#include <cstdint>

namespace td {

// An address in a device's memory, or of pinned host memory; the host must not follow it.
using DeviceAddress = uint64_t;

// `count` elements from `address` on; no elements: null.
template <class T>
struct DeviceSpan {
  DeviceAddress address = 0;
  int64_t count = 0;
  const char* name = nullptr;  // for reports
};

// The same for what nobody writes to as long as the kernel runs, such as weights: bounds alone are checked, at no cost
// in memory. That nobody does is checked when the kernel starts and whenever something is copied there.
template <class T>
struct ReadOnlySpan {
  DeviceAddress address = 0;
  int64_t count = 0;
  const char* name = nullptr;
};

}  // namespace td
