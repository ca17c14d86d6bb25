#include "cuda/emulated/stream.h"

#include <cstring>
#include <exception>

#include "cuda/emulated/device.h"

namespace td::emulated {

Stream::Stream(Device& device) : device_(device), number_(device.timeline_.addStream()), thread_([this] { work(); }) {}

Stream::~Stream() {
  cancel();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
  device_.timeline_.removeStream(number_);
}

const Memory& Stream::memory() const {
  return device_.memory_;
}

void Stream::setOrder(ThreadOrder order, uint64_t seed) {
  order_ = order;
  seed_ = seed;
}

// ---- The queue ------------------------------------------------------------------------------------------------------

DeviceError Stream::spoilt() const {
  if (DeviceError error = device_.error()) return error;
  const std::lock_guard lock(mutex_);
  return error_;
}

DeviceError Stream::put(std::string what, std::function<DeviceError()> perform,
                        std::function<void(const DeviceError&)> drop) {
  if (DeviceError error = spoilt()) {
    if (drop) drop(error);
    return error;
  }
  auto operation = std::make_unique<Operation>();
  operation->what = std::move(what);
  operation->perform = std::move(perform);
  operation->drop = std::move(drop);
  operation->host = device_.timeline_.asked(number_);
  operation->asked.release();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(operation));
    ++put_;
  }
  wake_.notify_one();
  return {};
}

void Stream::work() {
  // What has made this thread, its thread-local words among it, was before all that the stream does. To be said before
  // the first lock, which orders nothing on a GPU.
  born_.release();
  line_.happens([&] { born_.acquire(); });
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::unique_ptr<Operation> operation = std::move(queue_.front());
    queue_.pop_front();
    cancellationsAtStart_ = cancellations_.load();
    lock.unlock();
    carryOut(*operation);
    // Destroyed where its arguments were read.
    operation->asked.release();
    line_.happens([&] {
      operation->asked.acquire();
      operation.reset();
    });
    device_.timeline_.ended(number_);
    lock.lock();
    ++finished_;
    idle_.notify_all();
  }
}

void Stream::carryOut(Operation& operation) {
  const Faults& faults = device_.settings_.faults;
  if (++device_.operations_ == faults.loseAtOperation) device_.lose();
  DeviceError error = spoilt();
  if (!error) {
    line_.happens([&] { operation.asked.acquire(); });
    underWay_ = &operation;
    try {
      error = operation.perform();
    } catch (const std::exception& exception) {  // such as that the host has no memory left
      error = {DeviceFault::kernelFailed, operation.what + ": " + exception.what()};
    }
    underWay_ = nullptr;
    line_.happens([&] { done_.release(); });
    if (!error) return;
  }
  if (operation.drop) operation.drop(error);
  if (error.fault() == DeviceFault::cancelled) return;
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
}

void Stream::cancel() {
  std::deque<std::unique_ptr<Operation>> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(queue_);
    ++cancellations_;
    finished_ += dropped.size();
  }
  const DeviceError error = droppedError();
  for (const auto& operation : dropped) {
    if (operation->drop) operation->drop(error);
    device_.timeline_.ended(number_);
  }
  idle_.notify_all();
}

DeviceError Stream::interrupted() const {
  if (cancellations_.load() != cancellationsAtStart_) return droppedError();
  return device_.error();
}

DeviceError Stream::droppedError() const {
  return {DeviceFault::cancelled, "stream " + std::to_string(number_) + " was told to drop it"};
}

DeviceError Stream::synchronize() {
  {
    std::unique_lock lock(mutex_);
    const uint64_t target = put_;
    idle_.wait(lock, [&] { return finished_ >= target; });
  }
  return query();
}

DeviceError Stream::peek() const {
  if (DeviceError error = spoilt()) return error;
  const std::lock_guard lock(mutex_);
  if (finished_ < put_) return {DeviceFault::notReady, "stream " + std::to_string(number_) + " has work left"};
  return {};
}

DeviceError Stream::query() {
  if (DeviceError error = peek()) return error;
  done_.acquire();
  device_.timeline_.joinHost(device_.timeline_.of(number_));
  return {};
}

// ---- Events, words, calls -------------------------------------------------------------------------------------------

DeviceError Stream::record(Event& event) {
  auto record = event.newRecord();
  return put(
      "event",
      [this, record] {
        record->timeline = &device_.timeline_;
        record->clock = device_.timeline_.of(number_);
        line_.happens([&] { record->sync.release(); });
        record->finish({});
        return DeviceError();
      },
      [record](const DeviceError& error) { record->finish(error); });
}

namespace {

constexpr auto kPatience = std::chrono::milliseconds(1);  // between two looks at whether to go on waiting

}  // namespace

DeviceError Stream::wait(const Event& event) {
  auto record = event.last();
  if (record == nullptr) return spoilt();
  return put("wait", [this, record] {
    std::unique_lock lock(record->mutex);
    while (!record->changed.wait_for(lock, kPatience, [&] { return record->happened; })) {
      if (DeviceError error = interrupted()) return error;
    }
    if (record->error && record->error.fault() != DeviceFault::cancelled) {
      return DeviceError(record->error.fault(),
                         "waited for an event whose stream has failed: " + record->error.message());
    }
    line_.happens([&] { record->sync.acquire(); });
    device_.timeline_.join(number_, record->clock);
    return DeviceError();
  });
}

namespace {

int32_t* wordIn(const Place& place) {
  return reinterpret_cast<int32_t*>(place.data());
}

DeviceError findWord(const Memory& memory, DeviceAddress address, const char* what, Place* place) {
  if (DeviceError error = memory.find(address, 4, what, place)) return error;
  if (address % 4 != 0) return {DeviceFault::invalidArgument, std::string(what) + ": the address is not aligned to 4"};
  if (!place->allocation->pinned) {
    return {DeviceFault::invalidArgument, std::string(what) + ": the word is not in pinned memory"};
  }
  return {};
}

}  // namespace

DeviceError Stream::awaitWord(DeviceAddress word, int32_t value) {
  Place place;
  if (DeviceError error = findWord(memory(), word, "await word", &place)) return error;
  return put("await word", [this, place, value] {
    for (int looks = 0;; ++looks) {
      int32_t now = 0;
      line_.happens([&] {
        now = [at = wordIn(place)] {
          const Seen seen;
          return __atomic_load_n(at, __ATOMIC_ACQUIRE);
        }();
      });
      if (now >= value) break;
      if (DeviceError error = interrupted()) return error;
      if (looks > 100) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    // Whoever wrote it may have seen all that was announced by then.
    device_.timeline_.join(number_, device_.timeline_.ofHost());
    return DeviceError();
  });
}

DeviceError Stream::writeWord(DeviceAddress word, int32_t value) {
  Place place;
  if (DeviceError error = findWord(memory(), word, "write word", &place)) return error;
  return put("write word", [this, place, value] {
    device_.timeline_.announce(number_);
    line_.happens([&] {
      int32_t* const at = wordIn(place);
      const int32_t written = value;
      const Seen seen;
      __atomic_store_n(at, written, __ATOMIC_RELEASE);
    });
    return DeviceError();
  });
}

DeviceError Stream::call(std::function<void()> function) {
  return put("call", [this, function = std::move(function)] {
    device_.timeline_.announce(number_);
    line_.happens([what = &function] {
      const auto* const function = what;
      const Seen seen;
      (*function)();
    });
    device_.timeline_.join(number_, device_.timeline_.ofHost());
    return DeviceError();
  });
}

}  // namespace td::emulated
