// The thread pool: every chunk once, stages strictly one after another, whoever sleeps when. Plain (not atomic) memory
// that one stage writes and the next reads makes the thread sanitizer a witness of the ordering.
#include "core/thread_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "testing.h"

namespace td::testing {
namespace {

using std::chrono::microseconds;

// Stages of given numbers of chunks. A chunk of stage s reads what all chunks of stage s - 1 wrote, and writes a value
// that depends on it: a chunk that is early, late, missing or done twice changes the result.
class Chain : public Job {
 public:
  Chain(std::vector<int64_t> stages, int threads) : stages_(std::move(stages)), workers_(static_cast<size_t>(threads)) {
    for (const int64_t chunks : stages_) {
      results_.emplace_back(static_cast<size_t>(chunks));
      runs_ += chunks;
    }
  }

  int64_t open() override {
    ++stage_;
    if (stage_ == static_cast<int64_t>(stages_.size())) return kFinished;
    before_ = 0;
    if (stage_ > 0) {
      for (const int64_t value : results_[static_cast<size_t>(stage_) - 1]) before_ += value;
    }
    return stages_[static_cast<size_t>(stage_)];
  }

  void run(int64_t chunk, int worker) override {
    ++workers_.at(static_cast<size_t>(worker))
          .chunks;  // one thread's own: a race here means two workers with one number
    delay(chunk, worker);
    results_[static_cast<size_t>(stage_)].at(static_cast<size_t>(chunk)) += before_ % 1000003 + chunk + 1;
  }

  void check() const {
    int64_t before = 0, runs = 0;
    for (size_t stage = 0; stage < stages_.size(); ++stage) {
      int64_t sum = 0;
      for (int64_t chunk = 0; chunk < stages_[stage]; ++chunk) {
        const int64_t expected = before % 1000003 + chunk + 1;
        ASSERT_EQ(expected, results_[stage][static_cast<size_t>(chunk)]) << "stage " << stage << ", chunk " << chunk;
        sum += expected;
      }
      before = sum;
    }
    for (const Worker& worker : workers_) runs += worker.chunks;
    ASSERT_EQ(runs_, runs);
    ASSERT_EQ(static_cast<int64_t>(stages_.size()), stage_);
  }

  int64_t chunksOf(int worker) const { return workers_[static_cast<size_t>(worker)].chunks; }

 protected:
  virtual void delay(int64_t, int) {}
  int64_t stage() const { return stage_; }

 private:
  struct alignas(64) Worker {
    int64_t chunks = 0;
  };

  const std::vector<int64_t> stages_;
  std::vector<std::vector<int64_t>> results_;
  std::vector<Worker> workers_;
  int64_t stage_ = -1, before_ = 0, runs_ = 0;
};

std::vector<int64_t> randomStages(Random& random, int most, int64_t mostChunks) {
  std::vector<int64_t> stages(static_cast<size_t>(random.integer(0, most)));
  for (int64_t& chunks : stages) chunks = random.chance(0.4) ? random.between(0, 2) : random.between(0, mostChunks);
  return stages;
}

class Pool : public ::testing::TestWithParam<int> {};

TEST_P(Pool, RunsEveryChunkOnceInStrictStages) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(GetParam(), pool.threads());
  for (int round = 0; round < rounds(1000); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("stages", static_cast<uint64_t>(round));
    Chain chain(randomStages(random, 40, random.chance(0.1) ? 2000 : 50), GetParam());
    pool.execute(chain);
    chain.check();
    if (HasFatalFailure()) return;
  }
}

TEST_P(Pool, ThousandsOfShortJobs) {
  ThreadPool pool(GetParam());
  for (int job = 0; job < rounds(20000); ++job) {
    Chain chain({GetParam(), 1, 3}, GetParam());
    pool.execute(chain);
    chain.check();
    if (HasFatalFailure()) return;
  }
}

TEST_P(Pool, MostChunksAndBeyondThemByParallelFor) {
  ThreadPool pool(GetParam());
  Chain chain({Job::kMostChunks, Job::kMostChunks - 1, 1, Job::kMostChunks}, GetParam());
  pool.execute(chain);
  chain.check();
  for (const int64_t chunks :
       {int64_t{0}, int64_t{1}, int64_t{2}, Job::kMostChunks, Job::kMostChunks + 1, 3 * Job::kMostChunks + 17}) {
    std::vector<int> done(static_cast<size_t>(chunks));
    parallelFor(pool, chunks, [&](int64_t chunk, int worker) {
      ASSERT_TRUE(worker >= 0 && worker < GetParam());
      ++done.at(static_cast<size_t>(chunk));
    });
    ASSERT_EQ(chunks, std::count(done.begin(), done.end(), 1)) << chunks;
  }
}

// A worker that loses its core now and then, inside a chunk or (having claimed nothing) between two: whoever comes back
// late must not take a chunk of a stage, or of a job, that is over.
class Interrupted final : public Chain {
 public:
  Interrupted(std::vector<int64_t> stages, int threads, uint64_t round)
      : Chain(std::move(stages), threads), round_(round) {}

 private:
  void delay(int64_t chunk, int worker) override {
    Random random("delay", round_ * 7919 + static_cast<uint64_t>(stage() * 131 + chunk));
    if (random.chance(0.05)) std::this_thread::sleep_for(microseconds(random.between(1, 300)));
    if (worker > 0 && random.chance(0.05)) std::this_thread::yield();
  }

  const uint64_t round_;
};

TEST_P(Pool, LateWorkersNeverRunAStaleChunk) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < rounds(60); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("late", static_cast<uint64_t>(round));
    Interrupted chain(randomStages(random, 30, 12), GetParam(), static_cast<uint64_t>(round));
    pool.execute(chain);
    chain.check();
    if (HasFatalFailure()) return;
    // Sometimes long enough that all workers sleep.
    if (random.chance(0.3)) std::this_thread::sleep_for(microseconds(500));
  }
}

TEST_P(Pool, JobsOfSeveralThreadsFollowOneAnother) {
  ThreadPool pool(GetParam());
  std::vector<std::thread> callers;
  std::atomic<int> inside{0};
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      for (int job = 0; job < rounds(1000); ++job) {
        Random random("callers", static_cast<uint64_t>(1000 * caller + job));
        parallelFor(pool, random.between(1, 20), [&](int64_t chunk, int) {
          // Only one caller's job is inside at a time: the counter's high digits are the caller.
          const int before = inside.fetch_add(1 + 1000 * caller);
          EXPECT_EQ(caller * (before % 1000), before / 1000) << "chunk " << chunk;
          inside.fetch_sub(1 + 1000 * caller);
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// With workers in every state: never used, just done, asleep.
TEST_P(Pool, EndsWhileIdle) {
  for (int round = 0; round < rounds(150); ++round) {
    ThreadPool pool(GetParam());
    Random random("ends", static_cast<uint64_t>(round));
    if (random.chance(0.3)) continue;
    Chain chain({8, 0, 1, 8}, GetParam());
    pool.execute(chain);
    chain.check();
    if (random.chance(0.5)) std::this_thread::sleep_for(microseconds(random.between(1, 400)));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Pool, ::testing::Values(1, 2, 3, 4, 8));

// Far more workers than cores, so that most are preempted with work in hand.
TEST(PoolStress, Oversubscribed) {
  std::vector<std::thread> owners;
  for (int owner = 0; owner < 3; ++owner) {
    owners.emplace_back([owner] {
      ThreadPool pool(16);
      for (int round = 0; round < rounds(30); ++round) {
        Random random("oversubscribed", static_cast<uint64_t>(100 * owner + round));
        Chain chain(randomStages(random, 60, 100), 16);
        pool.execute(chain);
        chain.check();
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
}

TEST(PoolStress, WorkersTakePartEvenAfterSleeping) {
  ThreadPool pool(2);
  int64_t helped = 0;
  for (int attempt = 0; attempt < 50 && helped == 0; ++attempt) {
    std::this_thread::sleep_for(microseconds(2000));
    std::atomic<int64_t> other{0};
    parallelFor(pool, 8, [&](int64_t, int worker) {
      if (worker != 0) ++other;
      std::this_thread::sleep_for(microseconds(500));
    });
    helped = other;
  }
  EXPECT_GT(helped, 0);
}

TEST(PoolLimits, RefusesImpossibleCounts) {
  for (const int threads : {0, -1, 1025}) {
    try {
      ThreadPool pool(threads);
      FAIL() << threads;
    } catch (const Failure& failure) {
      EXPECT_EQ(TD_INVALID_ARGUMENT, failure.status());
      EXPECT_NE(std::string::npos, std::string(failure.what()).find(std::to_string(threads))) << failure.what();
    }
  }
}

[[noreturn]] void openManyThreadsInLittleAddressSpace() {
  const rlimit limit{rlim_t{1} << 30, rlim_t{1} << 30};
  setrlimit(RLIMIT_AS, &limit);
  try {
    ThreadPool pool(1024);
    _exit(1);
  } catch (const Failure& failure) {
    fprintf(stderr, "status %d: %s\n", failure.status(), failure.what());
    _exit(0);
  }
}

TEST(PoolLimits, AThreadThatTheSystemRefusesIsAnError) {
  if (kSanitizer) GTEST_SKIP() << "address space cannot be limited under a sanitizer";
  EXPECT_EXIT(openManyThreadsInLittleAddressSpace(), ::testing::ExitedWithCode(0),
              "status 2: the system refused thread [0-9]+ of 1024");
}

}  // namespace
}  // namespace td::testing
