// The machine's limits: how fast its cores read memory, and how many operations of a kind they can do. What a kernel
// reaches is a fraction of one of these, measured in the same minute.
#pragma once

#include <cstdint>

#include "tandem.h"

namespace td {

class CpuDevice;

// A loop that does nothing but one kind of operation, for some tens of microseconds.
struct LimitLoop {
  void (*run)();      // null: the instruction set has no such operation
  double operations;  // of one call; a multiplication and an addition are two
};

// The loops of one instruction set.
struct LimitLoops {
  // data: aligned to 64; bytes: a multiple of 256.
  void (*read)(const uint8_t* data, int64_t bytes);
  LimitLoop f32, int8, bf16;
};

// Measures a limit with all threads of a device: bytes or operations per second. See td_device_limit().
double measureLimit(CpuDevice& device, td_limit kind, int32_t milliseconds);

}  // namespace td
