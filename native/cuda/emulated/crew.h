// The host threads that take the blocks of a launch from one another.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cuda/emulated/block.h"

namespace td::emulated {

class Crew {
 public:
  // `helpers` threads beside those that call run().
  explicit Crew(int helpers);
  ~Crew();
  Crew(const Crew&) = delete;

  // Runs all blocks of a launch, in its order, and returns what was wrong first, or nothing. `own` is the caller's.
  std::string run(const Launch& launch, Block& own);

 private:
  struct Job {
    explicit Job(const Launch& launch) : launch(launch) {}

    const Launch& launch;
    std::vector<uint32_t> order;  // empty: ascending
    std::atomic<uint64_t> next{0};
    std::atomic<bool> stop{false};
    int helpers = 0;  // at work
    std::string error;

    bool exhausted() const { return stop.load() || next.load() >= launch.grid.volume(); }
  };

  void help();
  void work(Job& job, Block& block);

  std::mutex mutex_;
  std::condition_variable wake_, left_;
  std::deque<Job*> jobs_;
  bool ending_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace td::emulated
