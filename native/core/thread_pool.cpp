#include "core/thread_pool.h"

#include <cassert>
#include <system_error>

#include "core/futex.h"
#include "core/status.h"

namespace td {
namespace {

constexpr int kBits = 14;
constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
static_assert(Job::kMostChunks <= static_cast<int64_t>(kMask));

uint64_t stageOf(uint64_t ticket) {
  return ticket >> (2 * kBits);
}
uint64_t chunksOf(uint64_t ticket) {
  return ticket >> kBits & kMask;
}
uint64_t nextOf(uint64_t ticket) {
  return ticket & kMask;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > 1024) fail(TD_INVALID_ARGUMENT, "threads: %d is not between 1 and 1024", threads);
  workers_.reserve(static_cast<size_t>(threads) - 1);
  try {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error& refusal) {
    stop();  // a std::thread that is destroyed while it runs ends the process
    fail(TD_OUT_OF_MEMORY, "the system refused thread %d of %d (%s); open the device with fewer threads",
         static_cast<int>(workers_.size()) + 2, threads, refusal.what());
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() {
  stopping_.store(true);
  publish(0);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::execute(Job& job) {
  const std::lock_guard lock(mutex_);
  job_.store(&job, std::memory_order_relaxed);
  advance(job, 0);
  for (;;) {
    const uint64_t ticket = ticket_.load(std::memory_order_acquire);
    if (chunksOf(ticket) == 0) return;  // idle again: the job is over
    if (!claimOne(ticket, 0)) waitForChange(ticket);
  }
}

void ThreadPool::work(int worker) {
  for (;;) {
    // The ticket first: who has seen the last one sees `stopping_` too, and who has not does not fall asleep on it.
    const uint64_t ticket = ticket_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    if (!claimOne(ticket, worker)) waitForChange(ticket);
  }
}

// Takes and runs one chunk, if the stage has one left. Returns false if there is nothing to take.
bool ThreadPool::claimOne(uint64_t ticket, int worker) {
  if (nextOf(ticket) >= chunksOf(ticket)) return false;
  // Read before the claim: if the claim succeeds, the stage was open all the while, and so the job was this one.
  Job* job = job_.load(std::memory_order_relaxed);
  if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) return true;
  job->run(static_cast<int64_t>(nextOf(ticket)), worker);
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<int64_t>(chunksOf(ticket)))
    advance(*job, worker);
  return true;
}

// The last stage is complete and nobody else is inside the job: opens the next one. Stages of one chunk are run here
// and now.
void ThreadPool::advance(Job& job, int worker) {
  for (;;) {
    const int64_t chunks = job.open();
    assert(chunks <= Job::kMostChunks);
    if (chunks == Job::kFinished) {
      // The last touch of the job by anybody: as soon as the ticket says idle, execute() returns.
      if (chunksOf(ticket_.load(std::memory_order_relaxed)) != 0) publish(0);
      return;
    }
    if (chunks <= 1 || workers_.empty()) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) job.run(chunk, worker);
      continue;
    }
    done_.store(0, std::memory_order_relaxed);
    publish(chunks);
    return;
  }
}

void ThreadPool::publish(int64_t chunks) {
  const uint64_t stage = stageOf(ticket_.load(std::memory_order_relaxed)) + 1;
  ticket_.store(stage << (2 * kBits) | static_cast<uint64_t>(chunks) << kBits, std::memory_order_seq_cst);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    futexWake(generation_, chunks > 0 ? static_cast<int>(chunks) : INT_MAX);
  }
}

// Waits until another stage than the ticket's is open. Sequentially consistent: either the sleeper sees the new ticket
// or generation, or the publisher sees the sleeper.
void ThreadPool::waitForChange(uint64_t ticket) {
  for (int i = 0; i < kPausesBeforeSleep; ++i) {
    if (stageOf(ticket_.load(std::memory_order_relaxed)) != stageOf(ticket)) return;
    pauseCpu();
  }
  const uint32_t generation = generation_.load(std::memory_order_seq_cst);
  if (stageOf(ticket_.load(std::memory_order_seq_cst)) != stageOf(ticket)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  futexWait(generation_, generation);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace td
