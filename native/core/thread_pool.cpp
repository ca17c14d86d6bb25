#include "core/thread_pool.h"

#include <sched.h>

#include <cassert>
#include <climits>
#include <system_error>

#include "core/futex.h"
#include "core/status.h"

namespace td {
namespace {

constexpr int kBits = 14;
constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
constexpr uint64_t kIdle = kMask << kBits | kMask;  // no stage has so many chunks
static_assert(Job::kMostChunks < static_cast<int64_t>(kMask));

uint64_t ticketOf(uint64_t stage, uint64_t end, uint64_t next) {
  return stage << (2 * kBits) | end << kBits | next;
}
uint64_t stageOf(uint64_t ticket) {
  return ticket >> (2 * kBits);
}
uint64_t endOf(uint64_t ticket) {
  return ticket >> kBits & kMask;
}
uint64_t nextOf(uint64_t ticket) {
  return ticket & kMask;
}
bool isIdle(uint64_t ticket) {
  return endOf(ticket) == kMask;
}

// On all CPUs of its node, so that the scheduler may still choose. Advice: where it is refused, memory is only farther.
void stayNear(const NumaNode& node) {
  constexpr size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;
  if (node.cpus.empty()) return;
  std::vector<unsigned long> mask(static_cast<size_t>(node.cpus.back()) / kWordBits + 1);
  for (const int cpu : node.cpus) mask[static_cast<size_t>(cpu) / kWordBits] |= 1ul << cpu % kWordBits;
  sched_setaffinity(0, mask.size() * sizeof mask[0], reinterpret_cast<const cpu_set_t*>(mask.data()));
}

int checked(int threads) {
  if (threads < 1 || threads > 1024) fail(TD_INVALID_ARGUMENT, "threads: %d is not between 1 and 1024", threads);
  return threads;
}

}  // namespace

ThreadPool::ThreadPool(int threads, const Topology& topology, WorkerClock& clock)
    : shares_(topology, checked(threads)),
      clock_(clock),
      tickets_(std::make_unique<Ticket[]>(static_cast<size_t>(shares_.nodes()))),
      workers_(std::make_unique<Worker[]>(static_cast<size_t>(threads))),
      awake_(threads) {
  for (int node = 0; node < shares_.nodes(); ++node) tickets_[node].value.store(kIdle);
  threads_.reserve(static_cast<size_t>(threads) - 1);
  try {
    for (int worker = 1; worker < threads; ++worker) threads_.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error& refusal) {
    stop();  // a std::thread that is destroyed while it runs ends the process
    fail(TD_OUT_OF_MEMORY, "the system refused thread %d of %d (%s); open the device with fewer threads",
         static_cast<int>(threads_.size()) + 2, threads, refusal.what());
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() {
  stopping_.store(true);
  publishIdle();
  for (int worker = 1; worker <= static_cast<int>(threads_.size()); ++worker) call(workers_[worker]);
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::execute(Job& job) {
  const std::lock_guard lock(mutex_);
  job_.store(&job, std::memory_order_relaxed);
  if (caller_ != std::this_thread::get_id()) {  // the account is a thread's
    caller_ = std::this_thread::get_id();
    look(workers_[0]);
  }
  // The caller may be any thread, anywhere.
  if (shares_.nodes() > 1) workers_[0].node = shares_.nodeOfCpu(sched_getcpu());
  advance(job, 0);
  for (;;) {
    const uint64_t ticket = tickets_[0].value.load(std::memory_order_acquire);
    if (isIdle(ticket)) return;  // the job is over
    if (takeOne(0)) {
      attend(0);
    } else {
      waitForChange(ticket);
    }
  }
}

void ThreadPool::work(int worker) {
  workers_[worker].node = shares_.nodeOf(worker);
  if (shares_.nodes() > 1) stayNear(shares_.home(workers_[worker].node));
  look(workers_[worker]);
  for (;;) {
    // The ticket first: who has seen the last one sees `stopping_` too, and who has not does not fall asleep on it.
    const uint64_t ticket = tickets_[0].value.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    if (takeOne(worker)) {
      attend(worker);
    } else {
      waitForChange(ticket);
    }
  }
}

// Takes and runs one chunk: of the worker's node, or else of the next node that has one left. Returns false if there is
// nothing to take.
bool ThreadPool::takeOne(int worker) {
  const int nodes = shares_.nodes(), home = workers_[worker].node;
  for (int i = 0; i < nodes; ++i) {
    if (claimOne(tickets_[(home + i) % nodes], worker)) return true;
  }
  return false;
}

bool ThreadPool::claimOne(Ticket& from, int worker) {
  uint64_t ticket = from.value.load(std::memory_order_acquire);
  Job* job;
  do {
    if (nextOf(ticket) >= endOf(ticket)) return false;
    // Read before the claim: if the claim succeeds, the stage was open all the while, and so the job was this one.
    job = job_.load(std::memory_order_relaxed);
  } while (!from.value.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire));
  const int64_t total = total_.load(std::memory_order_relaxed);  // as yet of this stage: our chunk is missing
  job->run(static_cast<int64_t>(nextOf(ticket)), worker);
  if (finishOne(total)) advance(*job, worker);
  return true;
}

bool ThreadPool::finishOne(int64_t total) {
  return done_.fetch_add(1, std::memory_order_acq_rel) + 1 == total;
}

// The last stage is complete and nobody else is inside the job: opens the next one. Stages of one chunk are run here
// and now.
void ThreadPool::advance(Job& job, int worker) {
  for (;;) {
    const int64_t chunks = job.open();
    assert(chunks <= Job::kMostChunks);
    if (chunks == Job::kFinished) {
      // The last touch of the job by anybody: as soon as the ticket says idle, execute() returns.
      if (isIdle(tickets_[0].value.load(std::memory_order_relaxed))) return;
      publishIdle();
      call(workers_[0]);
      return;
    }
    if (chunks <= 1 || threads_.empty()) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) job.run(chunk, worker);
      continue;
    }
    // Of several tickets the first are taken while the last is not yet written: then writing counts as one chunk more,
    // so that the stage cannot end before.
    const bool several = shares_.nodes() > 1;
    const int64_t total = chunks + (several ? 1 : 0);
    done_.store(0, std::memory_order_relaxed);
    total_.store(total, std::memory_order_relaxed);
    publish(chunks);
    if (!several || !finishOne(total)) return;
  }
}

void ThreadPool::publish(int64_t chunks) {
  const uint64_t stage = stageOf(tickets_[0].value.load(std::memory_order_relaxed)) + 1;
  for (int node = shares_.nodes() - 1; node >= 0; --node) {
    const ChunkRange part = shares_.part(chunks, node);
    tickets_[node].value.store(ticketOf(stage, static_cast<uint64_t>(part.last), static_cast<uint64_t>(part.first)),
                               std::memory_order_seq_cst);
  }
  announce(static_cast<int>(chunks));
}

void ThreadPool::publishIdle() {
  const uint64_t stage = stageOf(tickets_[0].value.load(std::memory_order_relaxed)) + 1;
  for (int node = shares_.nodes() - 1; node >= 0; --node) {
    tickets_[node].value.store(ticketOf(stage, kMask, kMask), std::memory_order_seq_cst);
  }
  announce(INT_MAX);
}

void ThreadPool::announce(int wanted) {
  generation_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) futexWake(generation_, wanted);
}

// Waits until another stage than the ticket's is open. Sequentially consistent: either the sleeper sees the new ticket
// or generation, or the publisher sees the sleeper.
void ThreadPool::waitForChange(uint64_t ticket) {
  const std::atomic<uint64_t>& now = tickets_[0].value;
  for (int i = 0; i < kPausesBeforeSleep; ++i) {
    if (stageOf(now.load(std::memory_order_relaxed)) != stageOf(ticket)) return;
    pauseCpu();
  }
  const uint32_t generation = generation_.load(std::memory_order_seq_cst);
  if (stageOf(now.load(std::memory_order_seq_cst)) != stageOf(ticket)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  futexWait(generation_, generation);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

// ---- Courtesy -----------------------------------------------------------------------------------

// Begins a window.
void ThreadPool::look(Worker& me) {
  me.since = clock_.nanos();
  me.waited = clock_.waitedNanos();
}

// After a chunk: did somebody else have the core for long, and is it time to rest?
void ThreadPool::attend(int worker) {
  Worker& me = workers_[worker];
  const int64_t now = clock_.nanos();
  if (now - me.since > kWindowNanos) {
    const int64_t waited = clock_.waitedNanos();
    if (4 * (waited - me.waited) > now - me.since) me.courtesy.lostCore(now);
    me.since = now;
    me.waited = waited;
  }
  if (me.courtesy.wantsRest(now)) rest(worker);
}

// The last one awake stays, but calls another: where all are polite, they take turns.
void ThreadPool::rest(int worker) {
  int awake = awake_.load();
  do {
    if (awake == 1) return callOne();
  } while (!awake_.compare_exchange_weak(awake, awake - 1));
  Worker& me = workers_[worker];
  // Either the caller sees the worker rest, or the worker sees why it would be called.
  const uint32_t calls = me.calls.load();
  me.resting.store(true);
  const bool called = stopping_.load() || (worker == 0 && isIdle(tickets_[0].value.load()));
  if (!called) clock_.sleep(me.calls, calls, me.courtesy.restNanos());
  me.resting.store(false);
  awake_.fetch_add(1);
  me.courtesy.rested(clock_.nanos());
}

void ThreadPool::callOne() {
  for (int worker = 0; worker < threads(); ++worker) {
    if (call(workers_[worker])) return;
  }
}

// Ends a worker's rest. Returns false if it does not rest, or has been called already.
bool ThreadPool::call(Worker& worker) {
  if (!worker.resting.load() || !worker.resting.exchange(false)) return false;
  worker.calls.fetch_add(1);
  futexWake(worker.calls);
  return true;
}

}  // namespace td
