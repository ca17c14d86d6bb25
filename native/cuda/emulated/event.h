// An event: a point in a stream that others can wait for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "cuda/device_error.h"
#include "cuda/emulated/sanitizers.h"
#include "cuda/emulated/timeline.h"

namespace td::emulated {

// One record of an event. What waits for it waits for this one, whatever is recorded later.
struct EventRecord {
  std::mutex mutex;
  std::condition_variable changed;
  bool happened = false;
  DeviceError error;  // why it never will
  std::chrono::steady_clock::time_point time;
  Timeline* timeline = nullptr;
  Clock clock;
  Sync sync;

  void finish(DeviceError with);
};

// It may be recorded in any stream of one device, and must not outlive that.
class Event {
 public:
  // Of the last record; an event that was never recorded has happened.
  DeviceError query() const;
  DeviceError synchronize() const;
  // Between the last records of two events, both of which must have happened.
  static DeviceError elapsed(const Event& from, const Event& to, std::chrono::nanoseconds* time);

  // For streams.
  std::shared_ptr<EventRecord> newRecord();
  std::shared_ptr<EventRecord> last() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<EventRecord> last_;
};

}  // namespace td::emulated
