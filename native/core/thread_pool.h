// The CPU's workers. They stay inside a job for its whole length (a job is a whole step of a program), take chunks of
// work from a shared counter, and none is indispensable: a stage is over when its chunks are done, not when every
// worker has arrived. A worker that lost its core between two chunks is not waited for; when it comes back it joins
// wherever the job is by then.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

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
  // threads >= 1; the caller of execute() is one of them.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs the job to its end, the calling thread taking part as worker 0. Jobs follow one another.
  void execute(Job& job);

 private:
  void stop();
  void work(int worker);
  bool claimOne(uint64_t ticket, int worker);
  void advance(Job& job, int worker);
  void publish(int64_t chunks);
  void waitForChange(uint64_t ticket);

  // A stage's number (36 bits), its chunks (14) and the next unclaimed one (14) in one word: a claim is a
  // compare-and-swap, which fails for a worker whose stage is over, so a late worker can never take a chunk of a stage
  // that it has not seen open. Idle: no chunks.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<Job*> job_{nullptr};
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};  // the word that sleepers watch
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::thread> workers_;
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
