#include "cuda/emulated/block.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <numeric>

namespace td::emulated {

#define TD_DEFINE_OF_THIS_THREAD constinit thread_local
namespace words {
TD_DEFINE_OF_THIS_THREAD uint3 threadIdx{};
TD_DEFINE_OF_THIS_THREAD uint3 blockIdx{};
TD_DEFINE_OF_THIS_THREAD dim3 blockDim;
TD_DEFINE_OF_THIS_THREAD dim3 gridDim;
}  // namespace words
TD_DEFINE_OF_THIS_THREAD Thread* current = nullptr;

std::string text(Site site) {
  const char* slash = strrchr(site.file, '/');
  return std::string(slash == nullptr ? site.file : slash + 1) + ":" + std::to_string(site.line);
}

std::string text(uint3 index) {
  std::string text(1, '(');
  return text.append(std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")");
}

namespace {

uint3 indexIn(dim3 size, uint64_t number) {
  return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(number / size.x % size.y),
          static_cast<unsigned>(number / size.x / size.y)};
}

}  // namespace

// ---- Fibers ---------------------------------------------------------------------------------------------------------

Thread::Thread(Block& block, unsigned number) : Fiber(&Block::main, number), block(block), number(number) {}

// What a fiber does: the kernel, once for each block that it is a thread of.
void Block::main(boost::context::detail::transfer_t from) {
  const Unseen unseen;
  Thread& me = *current;
  Block& block = me.block;
  arrive(me, from);
  while (!block.ending_) {
    me.started = true;
    block.begin_.acquire();
    try {
      const Seen seen;
      block.launch_->call(block.launch_->arguments);
    } catch (const Cancelled&) {
    } catch (const Violation& violation) {
      block.error_ = violation.message;
    } catch (const std::exception& exception) {
      block.error_ = block.place() + "threw " + exception.what();
    }
    // Outside the handlers: the list of caught exceptions is the host thread's, not the fiber's.
    me.copies.drop();
    block.end_.release();
    me.started = false;
    block.finish(me);
  }
  switchContext(me, block.host_, true);
}

void Block::resume(Context& from, Thread& to) {
  current = &to;
  words::threadIdx = to.index;
  switchContext(from, to);
}

// This may be another host thread than the one that the fibers ran on: they have nothing of it in hand where they wait.
Block::~Block() {
  const Unseen unseen;
  ending_ = true;
  enterFromHost(host_);
  for (const auto& thread : threads_) resume(host_, *thread);
  current = nullptr;
}

// ---- Running --------------------------------------------------------------------------------------------------------

void Block::begin(const Launch& launch) {
  const Unseen unseen;
  launch_ = &launch;
  count_ = static_cast<unsigned>(launch.block.volume());
  enterFromHost(host_);
  while (threads_.size() < count_) {
    threads_.push_back(std::make_unique<Thread>(*this, static_cast<unsigned>(threads_.size())));
  }
  for (unsigned i = 0; i < count_; ++i) threads_[i]->index = indexIn(launch.block, i);
  warps_.assign((count_ + kWarp - 1) / kWarp, {});
  warpOrder_.resize(warps_.size());
  grid_.begin();
  shared_.begin(launch.dynamicShared, launch.moment.timeline != nullptr);
  words::blockDim = launch.block;
  words::gridDim = launch.grid;
}

void Block::end(const Launch&) {
  launch_ = nullptr;
}

std::string Block::run(const Launch& launch, uint64_t number) {
  const Unseen unseen;
  prepare(number);
  begin_.release();
  if (Thread* first = pick()) resume(host_, *first);
  if (!error_.empty()) cancel();
  end_.acquire();
  current = nullptr;
  return launch_ == &launch ? std::move(error_) : "";
}

void Block::prepare(uint64_t number) {
  index_ = words::blockIdx = indexIn(launch_->grid, number);
  serial_ = launch_->moment.first + number;
  error_.clear();
  shared_.beginBlock();
  grid_.beginBlock();
  random_.seed(launch_->seed + number * 0x9e3779b97f4a7c15u);
  for (unsigned w = 0; w < warps_.size(); ++w) {
    Warp& warp = warps_[w];
    const unsigned lanes = std::min(kWarp, count_ - w * kWarp);
    warp.lanes = warp.ready = lanes == kWarp ? ~0u : (1u << lanes) - 1;
    warp.waiting = 0;
    warp.tick = warp.tickAtBarrier = warp.tickAtSync = 0;
    warp.pairs.clear();
  }
  for (unsigned i = 0; i < count_; ++i) {
    threads_[i]->state = Thread::State::ready;
    threads_[i]->site = {};
  }
  unfinished_ = count_;
  atBarrier_ = 0;
  round_ = 0;
  std::iota(warpOrder_.begin(), warpOrder_.end(), 0u);
  std::iota(laneOrder_.begin(), laneOrder_.end(), uint8_t{0});
  if (launch_->order == ThreadOrder::descending) {
    std::reverse(warpOrder_.begin(), warpOrder_.end());
    std::reverse(laneOrder_.begin(), laneOrder_.end());
  }
  arrange();
}

void Block::arrange() {
  if (launch_->order == ThreadOrder::random) {
    std::shuffle(warpOrder_.begin(), warpOrder_.end(), random_);
    std::shuffle(laneOrder_.begin(), laneOrder_.end(), random_);
  }
  warpAt_ = 0;
  laneAt_ = -1;
}

// Who goes on: the next lane of the warp; when none is left, the first again if a warp operation has set them free
// meanwhile; else the next warp. Null: nobody can.
Thread* Block::pick() {
  for (;;) {
    const unsigned number = warpOrder_[warpAt_];
    const uint32_t ready = warps_[number].ready;
    if (ready != 0) {
      while (++laneAt_ < static_cast<int>(kWarp)) {
        const unsigned lane = laneOrder_[static_cast<size_t>(laneAt_)];
        if ((ready >> lane & 1) != 0) return threads_[number * kWarp + lane].get();
      }
      laneAt_ = -1;
      continue;
    }
    laneAt_ = -1;
    if (!pickWarp()) return nullptr;
  }
}

bool Block::pickWarp() {
  const auto count = static_cast<unsigned>(warps_.size());
  for (unsigned i = 0; i < count; ++i) {
    warpAt_ = warpAt_ + 1 == count ? 0 : warpAt_ + 1;
    if (warps_[warpOrder_[warpAt_]].ready != 0) return true;
  }
  if (atBarrier_ != count_) return false;
  releaseBarrier();
  return error_.empty();
}

// The current thread cannot go on; returns when it can.
void Block::leave(Thread& me) {
  Thread* to = pick();
  if (to == nullptr) {
    if (error_.empty()) error_ = place() + whereAllAre();
    throw Cancelled{};
  }
  if (to == &me) return;
  resume(me, *to);
  if (cancelling_) throw Cancelled{};
}

// The current thread has reached its end; returns when the next block begins.
void Block::finish(Thread& me) {
  me.state = Thread::State::finished;
  warps_[me.number / kWarp].ready &= ~(1u << me.lane());
  --unfinished_;
  if (error_.empty() && !cancelling_) {
    if (Thread* to = pick()) return resume(me, *to);
    if (unfinished_ > 0 && error_.empty()) error_ = place() + whereAllAre();
  }
  switchContext(me, host_);
}

// Unwinds the threads that have begun, so that their stacks can be used again.
void Block::cancel() {
  cancelling_ = true;
  for (unsigned i = 0; i < count_; ++i) {
    if (threads_[i]->started) resume(host_, *threads_[i]);
    threads_[i]->state = Thread::State::finished;
  }
  cancelling_ = false;
}

// ---- Barrier of the block -------------------------------------------------------------------------------------------

int Block::barrier(BarrierKind kind, int value, Site site) {
  const Unseen unseen;
  Thread& me = *current;
  Sync& sync = barrier_[round_ % 2];
  sync.release();
  me.state = Thread::State::atBarrier;
  me.barrier = kind;
  me.value = static_cast<uint64_t>(static_cast<unsigned>(value));
  me.site = site;
  warps_[me.number / kWarp].ready &= ~(1u << me.lane());
  ++atBarrier_;
  leave(me);
  sync.acquire();
  return static_cast<int>(me.value);
}

void Block::releaseBarrier() {
  const Thread& first = *threads_[0];
  int nonzero = 0;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = *threads_[i];
    if (thread.site != first.site || thread.barrier != first.barrier) {
      error_ = place() + whereAllAre();
      return;
    }
    nonzero += thread.value != 0 ? 1 : 0;
  }
  const int result = first.barrier == BarrierKind::count ? nonzero
                     : first.barrier == BarrierKind::all ? static_cast<int>(nonzero == static_cast<int>(count_))
                                                         : static_cast<int>(nonzero != 0);
  for (unsigned i = 0; i < count_; ++i) {
    threads_[i]->state = Thread::State::ready;
    threads_[i]->value = static_cast<uint64_t>(static_cast<unsigned>(result));
  }
  for (Warp& warp : warps_) {
    warp.ready = warp.lanes;
    warp.tickAtBarrier = ++warp.tick;
    if (warp.tick >= kMostTicks && launch_->moment.timeline != nullptr) {
      error_ = place() + "synchronises more often than is tracked: run it with raw views";
    }
  }
  atBarrier_ = 0;
  ++round_;
  arrange();
}

// ---- Messages -------------------------------------------------------------------------------------------------------

std::string Block::place() const {
  return launch_->kernel + ", block " + text(index_) + ": ";
}

void Block::fail(const std::string& what) const {
  throw Violation{place() + what};
}

std::string Block::threadText(unsigned number) const {
  return "thread " + text(threads_[number]->index);
}

namespace {

std::string whereIs(const Thread& thread) {
  static constexpr const char* kBarriers[] = {"__syncthreads", "__syncthreads_count", "__syncthreads_and",
                                              "__syncthreads_or"};
  switch (thread.state) {
    case Thread::State::finished:
      return "have finished";
    case Thread::State::atBarrier:
      return std::string("wait in ") + kBarriers[static_cast<int>(thread.barrier)] + " at " + text(thread.site);
    case Thread::State::inWarpOperation:
      return std::string("wait in ") + name(thread.operation) + " at " + text(thread.site);
    default:
      return "run";
  }
}

}  // namespace

// Nobody can go on: which threads are where.
std::string Block::whereAllAre() const {
  struct Group {
    std::string where;
    unsigned first, count;
  };
  std::vector<Group> groups;
  for (unsigned i = 0; i < count_; ++i) {
    const std::string where = whereIs(*threads_[i]);
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.where == where; });
    if (found == groups.end()) {
      groups.push_back({where, i, 1});
    } else {
      ++found->count;
    }
  }
  std::string text = "divergent barrier:";
  for (const Group& group : groups) {
    text += std::string(&group == groups.data() ? " " : "; ") + std::to_string(group.count) + " threads " +
            group.where + " (first: " + threadText(group.first) + ")";
  }
  return text;
}

}  // namespace td::emulated
