// A stream: a queue of operations, which a host thread of its own carries out one after another.
//
// Every function but synchronize() returns at once, except where it says so, with what was wrong with the call, or with
// what has spoilt the stream: from then on nothing of it happens any more, events recorded in it fail, and every call
// says why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "cuda/device_error.h"
#include "cuda/emulated/block.h"
#include "cuda/emulated/event.h"
#include "cuda/emulated/line_of_events.h"
#include "cuda/emulated/memory.h"

namespace td::emulated {

class Device;
class QueuedLaunch;

class Stream {
 public:
  explicit Stream(Device& device);
  // Drops what has not begun.
  ~Stream();
  Stream(const Stream&) = delete;

  // Of the launches that follow.
  void setOrder(ThreadOrder order, uint64_t seed = 1);

  DeviceError launch(std::unique_ptr<QueuedLaunch> launch);

  // Copies. Those from and to memory of the host that is not pinned are done with it when the call returns: up to a
  // megabyte is put aside, others wait for the stream.
  DeviceError copyToDevice(DeviceAddress to, const void* from, int64_t bytes);
  DeviceError copyToHost(void* to, DeviceAddress from, int64_t bytes);
  DeviceError copyWithin(DeviceAddress to, DeviceAddress from, int64_t bytes);
  DeviceError fill(DeviceAddress address, uint8_t value, int64_t bytes);

  DeviceError record(Event& event);
  // What follows waits for the last record of the event.
  DeviceError wait(const Event& event);

  // What follows waits until a 32-bit word in pinned memory is `value` or more (as int32).
  DeviceError awaitWord(DeviceAddress word, int32_t value);
  DeviceError writeWord(DeviceAddress word, int32_t value);

  // Calls a function of the host; what follows waits for it. It must not use the device.
  DeviceError call(std::function<void()> function);

  // Waits until all that was put in has happened.
  DeviceError synchronize();
  // Whether it has.
  DeviceError query();
  // The same, but the host is not taken to know then what has happened.
  DeviceError peek() const;

  // Drops all that has not begun, and what only waits; a copy over a slow link ends between two pieces. The stream can
  // be used again. Events recorded in what is dropped have the error `cancelled` for the host, and for other streams
  // they happen.
  void cancel();

  int number() const { return number_; }
  const Memory& memory() const;

 private:
  struct Operation {
    std::string what;
    std::function<DeviceError()> perform;
    std::function<void(const DeviceError&)> drop;  // may be empty
    Clock host;
    Sync asked;
  };

  DeviceError put(std::string what, std::function<DeviceError()> perform,
                  std::function<void(const DeviceError&)> drop = {});
  void work();
  void carryOut(Operation& operation);
  DeviceError spoilt() const;
  // What ends an operation that is under way before its time: that it was cancelled, or that the device is spoilt.
  DeviceError interrupted() const;
  DeviceError droppedError() const;

  // Of an operation that the timeline knows: where it stands; nothing where views are not checked.
  Moment begin(uint64_t blocks, const std::string& what);
  DeviceError run(QueuedLaunch& queued);
  struct Copy;
  DeviceError putCopy(Copy copy);
  DeviceError carryOut(const Copy& copy);
  DeviceError crossLink(size_t bytes, bool first) const;

  Device& device_;
  const int number_;
  ThreadOrder order_ = ThreadOrder::ascending;
  uint64_t seed_ = 1;
  Block block_;
  LineOfEvents line_;
  Sync born_, done_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::unique_ptr<Operation>> queue_;
  uint64_t put_ = 0, finished_ = 0;  // operations
  bool ending_ = false;
  DeviceError error_;
  std::atomic<uint64_t> cancellations_{0};
  uint64_t cancellationsAtStart_ = 0;  // of the operation under way
  Operation* underWay_ = nullptr;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace td::emulated
