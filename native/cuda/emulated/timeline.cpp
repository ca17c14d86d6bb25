#include "cuda/emulated/timeline.h"

#include <algorithm>

namespace td::emulated {

void Clock::set(int stream, uint64_t count) {
  const auto index = static_cast<size_t>(stream);
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] = count;
}

void Clock::join(const Clock& other) {
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] = std::max(counts_[i], other.counts_[i]);
}

bool Moment::followsLate(uint64_t serial) const {
  if (timeline == nullptr) return true;
  const std::lock_guard lock(timeline->mutex_);
  const Timeline::Operation* operation = timeline->find(serial);
  return operation == nullptr ||
         operation->count <= timeline->streams_[static_cast<size_t>(stream)].clock[operation->stream];
}

std::string Moment::nameOf(uint64_t serial) const {
  const std::lock_guard lock(timeline->mutex_);
  const Timeline::Operation* operation = timeline->find(serial);
  if (operation == nullptr) return "an earlier operation";
  return operation->name + " (stream " + std::to_string(operation->stream) + ")";
}

int Timeline::addStream() {
  const std::lock_guard lock(mutex_);
  streams_.push_back({.clock = host_});
  return static_cast<int>(streams_.size()) - 1;
}

void Timeline::removeStream(int stream) {
  const std::lock_guard lock(mutex_);
  streams_[static_cast<size_t>(stream)].open = false;
}

Clock Timeline::asked(int stream) {
  const std::lock_guard lock(mutex_);
  ++streams_[static_cast<size_t>(stream)].waiting;
  return host_;
}

void Timeline::ended(int stream) {
  const std::lock_guard lock(mutex_);
  --streams_[static_cast<size_t>(stream)].waiting;
}

Clock Timeline::ofHost() const {
  const std::lock_guard lock(mutex_);
  return host_;
}

Moment Timeline::begin(int stream, const Clock& host, uint64_t blocks, const std::string& name) {
  const std::lock_guard lock(mutex_);
  Clock& clock = streams_[static_cast<size_t>(stream)].clock;
  clock.join(host);
  if (operations_.size() > 1024) forgetSettled();
  Moment moment{this, stream, nextSerial_, nextSerial_ + blocks, nextSerial_};
  for (const Operation& operation : operations_) {
    if (operation.count > clock[operation.stream]) {
      moment.settled = operation.first;
      break;
    }
  }
  nextSerial_ += blocks;
  clock.set(stream, clock[stream] + 1);
  operations_.push_back({moment.first, moment.end, stream, clock[stream], name});
  return moment;
}

void Timeline::join(int stream, const Clock& clock) {
  const std::lock_guard lock(mutex_);
  streams_[static_cast<size_t>(stream)].clock.join(clock);
}

void Timeline::joinHost(const Clock& clock) {
  const std::lock_guard lock(mutex_);
  host_.join(clock);
}

Clock Timeline::of(int stream) const {
  const std::lock_guard lock(mutex_);
  return streams_[static_cast<size_t>(stream)].clock;
}

void Timeline::announce(int stream) {
  const std::lock_guard lock(mutex_);
  host_.join(streams_[static_cast<size_t>(stream)].clock);
}

const Timeline::Operation* Timeline::find(uint64_t serial) const {
  const auto found = std::upper_bound(operations_.begin(), operations_.end(), serial,
                                      [](uint64_t value, const Operation& operation) { return value < operation.end; });
  return found != operations_.end() && found->first <= serial ? &*found : nullptr;
}

bool Timeline::isForgotten(uint64_t serial) const {
  const std::lock_guard lock(mutex_);
  return find(serial) == nullptr;
}

size_t Timeline::remembered() const {
  const std::lock_guard lock(mutex_);
  return operations_.size();
}

// Whatever comes before the host and every stream comes before all that is to come. A stream that has nothing to do
// will follow what the host knows by then.
void Timeline::forgetSettled() {
  for (Line& line : streams_) {
    if (line.waiting == 0) line.clock.join(host_);
  }
  std::erase_if(operations_, [&](const Operation& operation) {
    return operation.count <= host_[operation.stream] &&
           std::all_of(streams_.begin(), streams_.end(),
                       [&](const Line& line) { return !line.open || operation.count <= line.clock[operation.stream]; });
  });
}

}  // namespace td::emulated
