// What a worker knows of its own time. Tests have one whose hands they turn.
#pragma once

#include <atomic>
#include <cstdint>

namespace td {

class WorkerClock {
 public:
  static WorkerClock& system();

  virtual ~WorkerClock() = default;
  virtual int64_t nanos() = 0;
  // How often the scheduler has taken the core from the calling thread so far.
  virtual int64_t preemptions() = 0;
  // Sleeps while word == expected, at most so long (below a second); may wake earlier.
  virtual void sleep(const std::atomic<uint32_t>& word, uint32_t expected, int64_t nanos) = 0;
};

}  // namespace td
