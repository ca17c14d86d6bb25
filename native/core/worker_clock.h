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
  // How long the calling thread has been ready so far while somebody else had the core; always 0 where the system does
  // not tell. A system call: to be asked now and then.
  virtual int64_t waitedNanos() = 0;
  // Sleeps while word == expected, at most so long (below a second); may wake earlier.
  virtual void sleep(const std::atomic<uint32_t>& word, uint32_t expected, int64_t nanos) = 0;
};

}  // namespace td
