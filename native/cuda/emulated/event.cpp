#include "cuda/emulated/event.h"

namespace td::emulated {

void EventRecord::finish(DeviceError with) {
  {
    const std::lock_guard lock(mutex);
    happened = true;
    error = std::move(with);
    time = std::chrono::steady_clock::now();
  }
  changed.notify_all();
}

std::shared_ptr<EventRecord> Event::newRecord() {
  const std::lock_guard lock(mutex_);
  last_ = std::make_shared<EventRecord>();
  return last_;
}

std::shared_ptr<EventRecord> Event::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

namespace {

// The host knows now what comes before the event.
DeviceError seenByHost(EventRecord& record) {
  record.sync.acquire();
  if (!record.error && record.timeline != nullptr) record.timeline->joinHost(record.clock);
  return record.error;
}

}  // namespace

DeviceError Event::query() const {
  const auto record = last();
  if (record == nullptr) return {};
  const std::lock_guard lock(record->mutex);
  if (!record->happened) return {DeviceFault::notReady, "the event has not happened yet"};
  return seenByHost(*record);
}

DeviceError Event::synchronize() const {
  const auto record = last();
  if (record == nullptr) return {};
  std::unique_lock lock(record->mutex);
  record->changed.wait(lock, [&] { return record->happened; });
  return seenByHost(*record);
}

DeviceError Event::elapsed(const Event& from, const Event& to, std::chrono::nanoseconds* time) {
  for (const Event* event : {&from, &to}) {
    if (event->last() == nullptr) {
      return {DeviceFault::invalidArgument, "elapsed: an event that was never recorded has no time"};
    }
    if (DeviceError error = event->query()) return error;
  }
  *time = to.last()->time - from.last()->time;
  return {};
}

}  // namespace td::emulated
