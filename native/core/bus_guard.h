// Mapped files that shrink: reading behind their new end raises SIGBUS, which would kill the process. The guard's
// handler puts zeros in the hole (from the page that was missed to the mapping's end) and raises the mapping's flag, so
// that the reader goes on with zeros and its run fails at the next check. Every other SIGBUS goes to the handler that
// was there before (the JVM has one of its own).
#pragma once

#include <atomic>
#include <cstddef>

namespace td {

class BusGuard {
 public:
  // Guards [start, start + bytes); `hit` must outlive the guard. The first call installs the handler.
  static void add(const void* start, size_t bytes, std::atomic<bool>* hit);
  static void remove(const void* start);
};

}  // namespace td
