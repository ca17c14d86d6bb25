// What is to go wrong, for tests of those who must bear it.
#pragma once

#include <chrono>
#include <cstdint>

namespace td::emulated {

// Counted from 1 from the opening of the device on; 0: never.
struct Faults {
  int64_t failAllocation = 0;     // this one finds no memory
  int64_t failCopy = 0;           // this one fails, which spoils its stream
  int64_t failLaunchesFrom = 0;   // this one fails, and from then on every call of the device, as CUDA has it
  int64_t loseAtOperation = 0;    // the device is gone when this operation of a stream begins
  double linkBytesPerSecond = 0;  // of copies between host and device; 0: as fast as memory is
  std::chrono::nanoseconds linkLatency{0};
};

}  // namespace td::emulated
