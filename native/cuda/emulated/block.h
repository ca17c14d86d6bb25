// One block of a grid at a time, on one host thread. Every CUDA thread is a fiber that runs until it must wait for
// others, and then switches to the next that can go on: first those of its warp, so that a warp's lanes go in lock-step
// from one warp operation to the next. In which order is a setting, because that decides what a kernel with a missing
// barrier computes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cuda/emulated/async_copies.h"
#include "cuda/emulated/fiber.h"
#include "cuda/emulated/grid_order.h"
#include "cuda/emulated/shared_memory.h"
#include "cuda/emulated/timeline.h"
#include "cuda/emulated/words.h"

namespace td::emulated {

using words::dim3;
using words::uint3;

constexpr unsigned kWarp = 32, kMostThreads = 1024;

enum class ThreadOrder { ascending, descending, random };

// A line of a kernel. As a default argument, that of the call.
struct Site {
  const char* file = nullptr;
  int line = 0;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  bool operator==(const Site&) const = default;
};

std::string text(Site site);
std::string text(uint3 index);

enum class BarrierKind : uint8_t { plain, count, all, any };
enum class WarpOperation : uint8_t { sync, shuffleXor, shuffleUp, shuffleDown, shuffle, ballot, all, any };
const char* name(WarpOperation operation);

// What runs: a kernel with its arguments, and how.
struct Launch {
  std::string kernel;
  dim3 grid, block;
  size_t dynamicShared = 0;
  ThreadOrder order = ThreadOrder::ascending;
  uint64_t seed = 1;
  void (*call)(const void* arguments) = nullptr;
  const void* arguments = nullptr;
  Moment moment;  // where views are checked
};

class Block;

// A CUDA thread.
struct Thread : Fiber {
  Thread(Block& block, unsigned number);

  enum class State : uint8_t { ready, atBarrier, inWarpOperation, finished };

  Block& block;
  const unsigned number;  // in the block; warp = number / 32
  uint3 index{};
  State state = State::finished;
  bool started = false;
  BarrierKind barrier{};
  WarpOperation operation{};
  int argument = 0, width = 0;  // of a shuffle
  uint32_t mask = 0;
  uint64_t value = 0;  // what the thread brings to where threads meet, then what it gets from there
  Site site;           // where it waits, or has last waited
  AsyncCopies copies;

  unsigned lane() const { return number % kWarp; }
};

TD_OF_THIS_THREAD Thread* current;

// Thrown through a kernel that broke a rule.
struct Violation {
  std::string message;
};

class Block {
 public:
  Block() = default;
  ~Block();
  Block(const Block&) = delete;

  // Runs one block of a launch; returns what was wrong with it, or nothing.
  std::string run(const Launch& launch, uint64_t number);
  // For each host thread that takes part in a launch, before its first block and after its last.
  void begin(const Launch& launch);
  void end(const Launch& launch);

  // ---- For the kernel, on a fiber.
  int barrier(BarrierKind kind, int value, Site site);
  uint64_t warpOperation(WarpOperation operation, uint32_t mask, uint64_t value, int argument, int width, Site site);
  const Launch& launch() const { return *launch_; }
  SharedMemory& shared() { return shared_; }
  GridOrder& grid() { return grid_; }
  // Throws: "kernel, block (x,y,z): what".
  [[noreturn]] void fail(const std::string& what) const;

  // ---- For the checks.
  Stamp stamp() const { return stampOf(serial_, current->number, warps_[current->number / kWarp].tick); }
  uint64_t serial() const { return serial_; }
  // Whether something of this block that bears this stamp comes before whatever the current thread does now.
  bool orderedInBlock(Stamp stamp) const;
  std::string threadText(unsigned number) const;

 private:
  friend struct Thread;
  struct Cancelled {};
  struct Warp {
    uint32_t lanes = 0;    // that there are
    uint32_t ready = 0;    // can go on
    uint32_t waiting = 0;  // in a warp operation
    // Counts what orders the memory accesses of the warp: its own __syncwarp, and the block's barriers.
    unsigned tick = 0, tickAtBarrier = 0, tickAtSync = 0;
    // For __syncwarp of a part of the warp: the tick at which two lanes last met. Empty as long as there was none.
    std::vector<unsigned> pairs;
    Sync sync[2];
  };

  static void main(boost::context::detail::transfer_t from);
  void prepare(uint64_t number);
  void arrange();
  void resume(Context& from, Thread& to);
  Thread* pick();
  bool pickWarp();
  void leave(Thread& me);
  void finish(Thread& me);
  void cancel();
  void releaseBarrier();
  void completeWarpOperation(Warp& warp, uint32_t mask);
  void orderLanes(Warp& warp, uint32_t mask);
  std::string whereAllAre() const;
  std::string place() const;

  Context host_;
  const Launch* launch_ = nullptr;
  std::vector<Warp> warps_;
  unsigned count_ = 0, unfinished_ = 0, atBarrier_ = 0;
  uint64_t serial_ = 0;
  uint3 index_{};
  // The order of warps, and of lanes in each; and who runs now.
  std::vector<unsigned> warpOrder_;
  std::array<uint8_t, kWarp> laneOrder_{};
  unsigned warpAt_ = 0;
  int laneAt_ = -1;
  std::mt19937_64 random_;
  bool cancelling_ = false, ending_ = false;
  std::string error_;
  SharedMemory shared_;
  GridOrder grid_;
  // Barriers take turns with two: a thread that is at the next one already must not hand what it did in between to one
  // that has yet to leave this one.
  Sync begin_, end_, barrier_[2];
  unsigned round_ = 0;
  std::vector<std::unique_ptr<Thread>> threads_;  // kept, because making stacks is slow
};

}  // namespace td::emulated
