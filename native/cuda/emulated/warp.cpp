// What the lanes of a warp do together. The last one to come computes for all, so that none can overtake and overwrite
// a value in use.
#include "cuda/emulated/block.h"

namespace td::emulated {

const char* name(WarpOperation operation) {
  static constexpr const char* kNames[] = {"__syncwarp",  "__shfl_xor_sync", "__shfl_up_sync", "__shfl_down_sync",
                                           "__shfl_sync", "__ballot_sync",   "__all_sync",     "__any_sync"};
  return kNames[static_cast<int>(operation)];
}

uint64_t Block::warpOperation(WarpOperation operation, uint32_t mask, uint64_t value, int argument, int width,
                              Site site) {
  const Unseen unseen;
  Thread& me = *current;
  Warp& warp = warps_[me.number / kWarp];
  const uint32_t bit = 1u << me.lane();
  mask &= warp.lanes;  // the last warp of a block may have fewer
  // Of a part of the warp it is not known which turn it is: to the thread sanitizer it orders a little too much.
  const bool part = mask != warp.lanes;
  Sync &sync = warp.sync[warp.tick % 2], &other = warp.sync[part ? (warp.tick + 1) % 2 : warp.tick % 2];
  if (operation == WarpOperation::sync) {
    sync.release();
    other.release();
  }
  me.site = site;
  if ((mask & bit) == 0) {
    fail(std::string("divergent warp: ") + threadText(me.number) + " is not in the mask of its own " + name(operation) +
         " at " + text(site));
  }
  me.state = Thread::State::inWarpOperation;
  me.operation = operation;
  me.mask = mask;
  me.value = value;
  me.argument = argument;
  me.width = width;
  warp.waiting |= bit;
  warp.ready &= ~bit;
  if ((warp.waiting & mask) == mask) completeWarpOperation(warp, mask);
  leave(me);
  if (operation == WarpOperation::sync) {
    sync.acquire();
    other.acquire();
  }
  return me.value;
}

namespace {

// The lane whose value a shuffle brings to `lane`: its own where there is none in its group of `width`.
unsigned sourceOf(const Thread& thread, unsigned lane) {
  const auto width = static_cast<unsigned>(thread.width), argument = static_cast<unsigned>(thread.argument);
  const unsigned group = lane & ~(width - 1), end = group + width;
  switch (thread.operation) {
    case WarpOperation::shuffleXor: {
      const unsigned source = lane ^ argument;
      return source < end ? source : lane;  // also from groups below, as the hardware does
    }
    case WarpOperation::shuffleUp:
      return lane >= group + argument ? lane - argument : lane;
    case WarpOperation::shuffleDown:
      return lane + argument < end ? lane + argument : lane;
    default:
      return group + (argument & (width - 1));
  }
}

}  // namespace

void Block::completeWarpOperation(Warp& warp, uint32_t mask) {
  const Thread& me = *current;
  Thread* lanes[kWarp];
  uint64_t before[kWarp] = {};
  uint32_t votes = 0;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    Thread& thread = *threads_[me.number / kWarp * kWarp + lane];
    if (thread.operation != me.operation || thread.mask != mask) {
      fail("divergent warp: lanes meet in different operations, " + threadText(me.number) + " in " +
           name(me.operation) + " at " + text(me.site) + ", " + threadText(thread.number) + " in " +
           name(thread.operation) + " at " + text(thread.site));
    }
    lanes[lane] = &thread;
    before[lane] = thread.value;
    votes |= uint32_t{thread.value != 0} << lane;
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    Thread& thread = *lanes[lane];
    thread.state = Thread::State::ready;
    switch (me.operation) {
      case WarpOperation::sync:
        break;
      case WarpOperation::ballot:
        thread.value = votes;
        break;
      case WarpOperation::all:
        thread.value = votes == mask;
        break;
      case WarpOperation::any:
        thread.value = votes != 0;
        break;
      default: {
        const unsigned source = sourceOf(thread, lane);
        if ((mask >> source & 1) == 0) {
          fail("divergent warp: " + threadText(thread.number) + " takes lane " + std::to_string(source) + " in " +
               name(me.operation) + " at " + text(thread.site) + ", which takes no part in it");
        }
        thread.value = before[source];
      }
    }
  }
  warp.waiting &= ~mask;
  warp.ready |= mask;
  if (me.operation == WarpOperation::sync) orderLanes(warp, mask);
}

// Only __syncwarp orders memory; shuffles and votes move registers.
void Block::orderLanes(Warp& warp, uint32_t mask) {
  ++warp.tick;
  if (warp.tick >= kMostTicks && launch_->moment.timeline != nullptr) {
    fail("synchronises more often than is tracked: run it with raw views");
  }
  if (mask == warp.lanes) {
    warp.tickAtSync = warp.tick;
    return;
  }
  warp.pairs.resize(kWarp * kWarp);
  for (unsigned a = 0; a < kWarp; ++a) {
    for (unsigned b = 0; b < kWarp; ++b) {
      if ((mask >> a & mask >> b & 1) != 0) warp.pairs[a * kWarp + b] = warp.tick;
    }
  }
}

bool Block::orderedInBlock(Stamp stamp) const {
  const unsigned thread = threadIn(stamp), tick = tickIn(stamp);
  if (thread == current->number) return true;
  const Warp& warp = warps_[thread / kWarp];
  if (tick < warp.tickAtBarrier) return true;
  if (thread / kWarp != current->number / kWarp) return false;
  return tick < warp.tickAtSync || (!warp.pairs.empty() && tick < warp.pairs[thread % kWarp * kWarp + current->lane()]);
}

}  // namespace td::emulated
