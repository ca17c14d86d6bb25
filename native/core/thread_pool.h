// The CPU's workers. They stay inside a job for its whole length (a job is a whole step of a program), take chunks of
// work from a shared counter, and none is indispensable: a stage is over when its chunks are done, not when every
// worker has arrived. A worker that lost its core between two chunks is not waited for; when it comes back it joins
// wherever the job is by then. One whose core somebody else keeps wanting is polite for a while (core/courtesy.h).
//
// Where memory has several nodes, workers are at home at one, and each stage's chunks are cut into one range per node:
// a worker takes those of its node first, then what is left of the others'.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/courtesy.h"
#include "core/topology.h"
#include "core/worker_clock.h"

namespace td {

// A sequence of stages; the chunks of a stage may run in any order on any worker. Neither function may throw.
class Job {
 public:
  static constexpr int64_t kFinished = -1;
  static constexpr int64_t kMostChunks = 16000;

  // Items per chunk: as many as wanted, but enough that a stage over all items has at most kMostChunks (or `most`)
  // chunks.
  static int64_t perChunk(int64_t items, int64_t wanted, int64_t most = kMostChunks) {
    const int64_t least = (items + most - 1) / most;
    return wanted > least ? wanted : least;
  }

  virtual ~Job() = default;
  // Prepares the next stage and returns its number of chunks (0 = nothing to do in it), or kFinished. Called by one
  // worker at a time, after every chunk of the stage before; what it writes, all chunks see.
  virtual int64_t open() = 0;
  virtual void run(int64_t chunk, int worker) = 0;
};

class ThreadPool {
 public:
  // So often a worker asks how long it had to wait for its core: more than a quarter of the time, and the core counts
  // as taken. The scheduler's slices are a fraction of it, and so is what kernel threads and short commands take.
  static constexpr int64_t kWindowNanos = 20'000'000;

  // threads >= 1; the caller of execute() is one of them. The clock must outlive the pool.
  explicit ThreadPool(int threads, const Topology& topology = Topology::read(),
                      WorkerClock& clock = WorkerClock::system());
  ~ThreadPool();

  int threads() const { return static_cast<int>(threads_.size()) + 1; }
  // How stages are cut between memory nodes: the place for what a chunk reads (core/memory.h).
  const NodeShares& shares() const { return shares_; }

  // Runs the job to its end, the calling thread taking part as worker 0. Jobs follow one another.
  void execute(Job& job);

 private:
  // A node's range in a stage: the stage's number (36 bits), the range's end (14) and its next unclaimed chunk (14) in
  // one word. A claim is a compare-and-swap, which fails for a worker whose stage is over, so a late worker can never
  // take a chunk of a stage that it has not seen open.
  struct alignas(64) Ticket {
    std::atomic<uint64_t> value{0};
  };

  struct alignas(64) Worker {
    int node = 0;
    int64_t since = 0;   // when it last asked
    int64_t waited = 0;  // what it was told then
    Courtesy courtesy;
    std::atomic<bool> resting{false};
    std::atomic<uint32_t> calls{0};  // the word that it watches while it rests
  };

  void stop();
  void work(int worker);
  bool takeOne(int worker);
  bool claimOne(Ticket& ticket, int worker);
  void advance(Job& job, int worker);
  bool finishOne(int64_t total);
  void publish(int64_t chunks);
  void publishIdle();
  void announce(int wanted);
  void waitForChange(uint64_t ticket);
  void look(Worker& worker);
  void attend(int worker);
  void rest(int worker);
  void callOne();
  static bool call(Worker& worker);

  const NodeShares shares_;
  WorkerClock& clock_;
  // One per node. The first is written last: who sees its stage sees that stage in all.
  std::unique_ptr<Ticket[]> tickets_;
  std::unique_ptr<Worker[]> workers_;
  std::atomic<Job*> job_{nullptr};
  std::atomic<int64_t> total_{0};  // what done_ is when the stage is over
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};  // the word that sleepers watch
  std::atomic<int> sleepers_{0};
  std::atomic<int> awake_;  // workers that do not rest: always one at least
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::thread::id caller_;  // of the last job
  std::vector<std::thread> threads_;
};

// Runs work(chunk, worker) for every chunk below `chunks`, in parallel.
template <class Work>
void parallelFor(ThreadPool& pool, int64_t chunks, Work work) {
  class Loop final : public Job {
   public:
    Loop(int64_t chunks, Work& work) : left_(chunks), work_(work) {}
    int64_t open() override {
      first_ += size_;
      if (left_ == 0) return kFinished;
      size_ = left_ < kMostChunks ? left_ : kMostChunks;
      left_ -= size_;
      return size_;
    }
    void run(int64_t chunk, int worker) override { work_(first_ + chunk, worker); }

   private:
    int64_t first_ = 0, size_ = 0, left_;
    Work& work_;
  };
  Loop loop(chunks, work);
  pool.execute(loop);
}

}  // namespace td
