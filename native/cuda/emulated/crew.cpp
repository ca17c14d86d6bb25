#include "cuda/emulated/crew.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <random>

namespace td::emulated {

Crew::Crew(int helpers) {
  for (int i = 0; i < helpers; ++i) helpers_.emplace_back([this] { help(); });
}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

std::string Crew::run(const Launch& launch, Block& own) {
  Job job(launch);
  const uint64_t blocks = launch.grid.volume();
  // A kernel must not depend on the order of its blocks either.
  if (launch.order != ThreadOrder::ascending && blocks <= UINT32_MAX) {
    job.order.resize(blocks);
    std::iota(job.order.begin(), job.order.end(), 0u);
    if (launch.order == ThreadOrder::descending) std::reverse(job.order.begin(), job.order.end());
    if (launch.order == ThreadOrder::random) {
      std::shuffle(job.order.begin(), job.order.end(), std::mt19937_64(launch.seed));
    }
  }
  const bool shared = blocks > 1 && !helpers_.empty();
  if (shared) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
  }
  if (shared) wake_.notify_all();
  work(job, own);
  if (shared) {
    std::unique_lock lock(mutex_);
    std::erase(jobs_, &job);
    left_.wait(lock, [&] { return job.helpers == 0; });
  }
  return job.error;
}

void Crew::work(Job& job, Block& block) {
  const uint64_t blocks = job.launch.grid.volume();
  bool begun = false;
  while (!job.stop.load(std::memory_order_relaxed)) {
    const uint64_t number = job.next.fetch_add(1, std::memory_order_relaxed);
    if (number >= blocks) break;
    std::string error;
    try {
      if (!begun) block.begin(job.launch);
      begun = true;
      error = block.run(job.launch, job.order.empty() ? number : job.order[number]);
    } catch (const std::bad_alloc&) {
      error = job.launch.kernel + ": the host has no memory for the threads of a block";
    }
    if (!error.empty() && !job.stop.exchange(true)) {
      const std::lock_guard lock(mutex_);
      job.error = std::move(error);
    }
  }
  if (begun) block.end(job.launch);
}

void Crew::help() {
  Block block;
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    wake_.wait(lock, [&] {
      const auto found = std::find_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return !job->exhausted(); });
      job = found == jobs_.end() ? nullptr : *found;
      return ending_ || job != nullptr;
    });
    if (job == nullptr) return;
    ++job->helpers;
    lock.unlock();
    work(*job, block);
    lock.lock();
    --job->helpers;
    left_.notify_all();
  }
}

}  // namespace td::emulated
