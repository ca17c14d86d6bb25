// What comes before what on a device: operations of one stream follow one another; those of different streams only
// where an event, a word in memory or the host is in between. Vector clocks (Lamport 1978; Mattern 1989), one entry per
// stream. The order in which operations happen to run says nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace td::emulated {

// Who touched an element: serial number of the block (33 bits, over all launches of a device; a copy is a block),
// thread (10 bits), tick of its warp (20 bits), and whether atomically. 0: nobody.
using Stamp = uint64_t;
constexpr unsigned kMostTicks = 0xfffff;
constexpr Stamp stampOf(uint64_t serial, unsigned thread, unsigned tick) {
  return serial << 31 | Stamp{thread} << 21 | Stamp{tick} << 1;
}
constexpr uint64_t serialIn(Stamp stamp) {
  return stamp >> 31;
}
constexpr unsigned threadIn(Stamp stamp) {
  return static_cast<unsigned>(stamp >> 21) & 1023;
}
constexpr unsigned tickIn(Stamp stamp) {
  return static_cast<unsigned>(stamp >> 1) & kMostTicks;
}
constexpr bool isAtomic(Stamp stamp) {
  return (stamp & 1) != 0;
}

// How many operations of each stream come before something.
class Clock {
 public:
  uint64_t operator[](int stream) const {
    return static_cast<size_t>(stream) < counts_.size() ? counts_[static_cast<size_t>(stream)] : 0;
  }
  void set(int stream, uint64_t count);
  void join(const Clock& other);

 private:
  std::vector<uint64_t> counts_;
};

class Timeline;

// Where an operation that runs now stands: its own serials, and below which all others come before it.
struct Moment {
  Timeline* timeline = nullptr;  // null: nothing is tracked
  int stream = 0;
  uint64_t first = 0, end = 0, settled = 0;

  bool owns(uint64_t serial) const { return serial >= first && serial < end; }
  // Whether what an operation did comes before this one.
  bool follows(uint64_t serial) const { return serial < settled || followsLate(serial); }
  // "kernel scale (stream 2)".
  std::string nameOf(uint64_t serial) const;

 private:
  bool followsLate(uint64_t serial) const;
};

class Timeline {
 public:
  int addStream();
  void removeStream(int stream);

  // The host asks for an operation of a stream: what comes before it. Later it has ended, or was dropped.
  Clock asked(int stream);
  void ended(int stream);
  // What the host knows to have happened.
  Clock ofHost() const;
  // An operation begins on its stream, in so many blocks.
  Moment begin(int stream, const Clock& host, uint64_t blocks, const std::string& name);
  // A stream waits for what a clock says; or the host has done so.
  void join(int stream, const Clock& clock);
  void joinHost(const Clock& clock);
  Clock of(int stream) const;
  // A stream writes a word that the host, or another stream, may wait for. Who has seen it cannot be known: everything
  // that begins later is taken to come after.
  void announce(int stream);

  // Whether an operation comes before all that is still to come.
  bool isForgotten(uint64_t serial) const;
  size_t remembered() const;

 private:
  friend struct Moment;
  struct Operation {
    uint64_t first, end;
    int stream;
    uint64_t count;  // of operations on the stream, itself included
    std::string name;
  };

  const Operation* find(uint64_t serial) const;
  void forgetSettled();

  struct Line {
    Clock clock;
    uint64_t waiting = 0;  // operations
    bool open = true;
  };

  mutable std::mutex mutex_;
  std::vector<Line> streams_;
  Clock host_;
  std::deque<Operation> operations_;  // by serial
  uint64_t nextSerial_ = 1;
};

}  // namespace td::emulated
