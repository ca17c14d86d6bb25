// The thread pool's policies, by hand: a clock that the test turns, cores that it takes, rests that end only when the
// worker is called, and memory nodes that this machine does not have.
#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "core/futex.h"
#include "core/thread_pool.h"
#include "testing.h"

namespace td::testing {
namespace {

class HandClock final : public WorkerClock {
 public:
  int64_t nanos() override { return nanos_.load(); }
  int64_t waitedNanos() override { return waited_; }
  void sleep(const std::atomic<uint32_t>& word, uint32_t expected, int64_t) override {
    ++sleeps;
    while (word.load() == expected) futexWait(word, expected);
  }

  void advance(int64_t nanos) { nanos_ += nanos; }
  // The calling thread has lost its core for so long, in a chunk.
  void takeCore(int64_t nanos) {
    waited_ += nanos;
    advance(nanos);
  }

  std::atomic<int> sleeps{0};

 private:
  std::atomic<int64_t> nanos_{1'000'000'000};
  static thread_local int64_t waited_;
};
thread_local int64_t HandClock::waited_ = 0;

constexpr int64_t kSlice = ThreadPool::kWindowNanos + 1'000'000;

// Runs until a chunk of each of the two workers has been seen to begin, and returns when both have.
class Meeting {
 public:
  void arrive() {
    ++arrived_;
    while (arrived_.load() < 2) std::this_thread::yield();
  }

 private:
  std::atomic<int> arrived_{0};
};

// Two workers, of which `late` loses its core in its first chunk, both being inside one then. Returns the chunks that
// it ran afterwards.
int64_t chunksAfterLoss(int late, HandClock& clock, const std::function<void(HandClock&)>& loss) {
  ThreadPool pool(2, Topology{}, clock);
  Meeting meeting;
  std::array<std::atomic<bool>, 2> met{};
  std::atomic<int64_t> after{0}, all{0};
  int losses = 0;  // touched by the late worker alone
  parallelFor(pool, 1000, [&](int64_t, int worker) {
    ++all;
    if (!met[static_cast<size_t>(worker)].exchange(true)) {
      meeting.arrive();
    }
    if (worker == late) {
      if (++losses <= 2) {
        loss(clock);
      } else {
        ++after;
      }
    }
    // The other one is slow enough that a worker which does not rest gets a chunk.
    if (worker != late) std::this_thread::sleep_for(std::chrono::microseconds(20));
  });
  EXPECT_EQ(1000, all);
  return after;
}

TEST(PoolCourtesy, AWorkerThatLostItsCoreRestsAndTheOtherDoesTheWork) {
  HandClock clock;
  EXPECT_EQ(0, chunksAfterLoss(1, clock, [](HandClock& c) { c.takeCore(kSlice); }));
  EXPECT_EQ(1, clock.sleeps);
}

// The caller itself: it comes back when the job is over, though its rest would have lasted.
TEST(PoolCourtesy, TheCallerIsNotIndispensableEither) {
  HandClock clock;
  EXPECT_EQ(0, chunksAfterLoss(0, clock, [](HandClock& c) { c.takeCore(kSlice); }));
  EXPECT_EQ(1, clock.sleeps);
}

TEST(PoolCourtesy, ALongChunkAloneOrAShortInterruptionIsNoLoss) {
  for (const int worker : {0, 1}) {
    HandClock clock;
    EXPECT_GT(chunksAfterLoss(worker, clock, [](HandClock& c) { c.advance(100 * kSlice); }), 0);
    EXPECT_GT(chunksAfterLoss(worker, clock, [](HandClock& c) { c.takeCore(ThreadPool::kWindowNanos / 8); }), 0);
    EXPECT_EQ(0, clock.sleeps);
  }
}

TEST(PoolCourtesy, AfterTheWhileAWorkerTakesPartAgain) {
  HandClock clock;
  ThreadPool pool(2, Topology{}, clock);
  std::atomic<int> losses{0};
  std::atomic<int64_t> others{0};
  const auto job = [&] {
    parallelFor(pool, 50, [&](int64_t, int worker) {
      if (worker == 0) return std::this_thread::sleep_for(std::chrono::microseconds(200));
      ++others;
      if (++losses <= 2) clock.takeCore(kSlice);
    });
  };
  while (losses < 2) job();
  const int64_t before = others;
  job();
  // It may be on its way to its rest when the job begins, but it runs no chunk in it.
  EXPECT_EQ(before, others);
  // The other one becomes polite too, and calls it: then the while is over for both.
  std::atomic<int> called{0};
  parallelFor(pool, 2000, [&](int64_t, int worker) {
    if (worker == 0 && ++called <= 2) {
      clock.takeCore(kSlice);
    } else {
      clock.advance(Courtesy::kVisit / 8);
    }
  });
  clock.advance(2 * Courtesy::kLongestWhile);
  const int64_t since = others;
  for (int i = 0; i < 100 && others == since; ++i) job();
  EXPECT_GT(others, since);
}

// All lose their cores, again and again: one is awake at any time, they take turns, nothing is lost, and the results
// are those of quiet times.
TEST(PoolCourtesy, WhereAllArePoliteTheyTakeTurns) {
  for (const int threads : {2, 3, 8}) {
    for (int round = 0; round < rounds(40); ++round) {
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
      HandClock clock;
      ThreadPool pool(threads, Topology{}, clock);
      std::vector<int64_t> sums(300);
      for (int pass = 1; pass <= 3; ++pass) {
        parallelFor(pool, std::ssize(sums), [&](int64_t chunk, int worker) {
          Random random("turns", static_cast<uint64_t>((round * 3 + pass) * 1000 + worker * 300 + chunk));
          if (random.chance(0.1)) clock.takeCore(random.between(1, 3 * kSlice));
          clock.advance(random.between(0, 60'000));
          sums[static_cast<size_t>(chunk)] += pass * chunk;
        });
      }
      for (int64_t chunk = 0; chunk < std::ssize(sums); ++chunk) ASSERT_EQ(6 * chunk, sums[static_cast<size_t>(chunk)]);
    }
  }
}

TEST(PoolCourtesy, EndsWhileAWorkerRests) {
  for (int round = 0; round < rounds(200); ++round) {
    HandClock clock;
    ThreadPool pool(3, Topology{}, clock);
    parallelFor(pool, 30, [&](int64_t, int worker) {
      if (worker > 0) clock.takeCore(kSlice);
    });
  }
}

Topology nodesWith(const std::vector<int>& cpus) {
  Topology topology;
  for (size_t node = 0; node < cpus.size(); ++node) {
    // CPUs that do not exist: pinning is refused, the cut of the work stays.
    topology.nodes.push_back({static_cast<int>(node), std::vector<int>(static_cast<size_t>(cpus[node]))});
    for (int& cpu : topology.nodes.back().cpus) cpu = 50'000 + static_cast<int>(node);
  }
  return topology;
}

// Like Chain in thread_pool_test.cpp: a chunk reads what all chunks of the stage before wrote.
class Sums final : public Job {
 public:
  explicit Sums(std::vector<int64_t> stages) : stages_(std::move(stages)) {}
  int64_t open() override {
    if (stage_ >= 0) {
      for (const int64_t value : values_) before_ = (before_ + value) % 1000003;
      for (size_t chunk = 0; chunk < values_.size(); ++chunk) EXPECT_NE(0, values_[chunk]) << chunk;
    }
    if (++stage_ == std::ssize(stages_)) return kFinished;
    values_.assign(static_cast<size_t>(stages_[static_cast<size_t>(stage_)]), 0);
    return std::ssize(values_);
  }
  void run(int64_t chunk, int) override { values_.at(static_cast<size_t>(chunk)) += before_ + chunk + 1; }
  int64_t result() const { return before_; }

 private:
  const std::vector<int64_t> stages_;
  std::vector<int64_t> values_;
  int64_t stage_ = -1, before_ = 0;
};

TEST(PoolNodes, EachChunkOnceAndStagesInOrder) {
  ThreadPool alone(1);
  for (const std::vector<int>& cpus : std::vector<std::vector<int>>{{1, 1}, {3, 1}, {1, 1, 1, 1}, {2, 5, 1}}) {
    for (const int threads : {2, 3, 4, 8}) {
      ThreadPool pool(threads, nodesWith(cpus));
      for (int round = 0; round < rounds(300); ++round) {
        SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
        Random random("nodes", static_cast<uint64_t>(round));
        std::vector<int64_t> stages(static_cast<size_t>(random.integer(0, 30)));
        // Often so few chunks that some nodes have none: a stage may end before its last ticket is written.
        for (int64_t& chunks : stages) chunks = random.between(0, random.chance(0.7) ? 4 : 200);
        Sums expected(stages), actual(stages);
        alone.execute(expected);
        pool.execute(actual);
        ASSERT_EQ(expected.result(), actual.result());
        if (HasFailure()) return;
      }
    }
  }
}

// Both workers are held until each has a chunk: then each has one of its own node's half; and a node whose worker stays
// away is served by the other.
TEST(PoolNodes, AWorkerTakesItsOwnNodesChunksFirstThenTheOthers) {
  ThreadPool pool(2, nodesWith({1, 1}));
  ASSERT_EQ(2, pool.shares().nodes());
  constexpr int64_t kChunks = 100;
  std::array<std::vector<int64_t>, 2> taken;
  Meeting meeting;
  std::atomic<int64_t> left{kChunks};
  parallelFor(pool, kChunks, [&](int64_t chunk, int worker) {
    std::vector<int64_t>& mine = taken[static_cast<size_t>(worker)];
    mine.push_back(chunk);
    if (mine.size() == 1) meeting.arrive();
    --left;
    // Worker 1 stays in its first chunk until all others are done.
    while (worker == 1 && left > 0) std::this_thread::yield();
  });
  EXPECT_EQ(1u, taken[1].size());
  EXPECT_EQ(kChunks / 2, taken[1][0]) << "worker 1 is at home at the second node";
  std::vector<int64_t> expected;
  for (int64_t chunk = 0; chunk < kChunks; ++chunk) {
    if (chunk != kChunks / 2) expected.push_back(chunk);
  }
  EXPECT_EQ(expected, taken[0]) << "its own half in order, then what is left of the other";
}

TEST(PoolNodes, CourtesyAndNodesTogether) {
  for (int round = 0; round < rounds(40); ++round) {
    HandClock clock;
    ThreadPool pool(4, nodesWith({2, 2}), clock);
    std::vector<int> done(500);
    parallelFor(pool, std::ssize(done), [&](int64_t chunk, int worker) {
      Random random("together", static_cast<uint64_t>(round * 4000 + worker * 500 + chunk));
      if (random.chance(0.1)) clock.takeCore(kSlice);
      clock.advance(random.between(0, 60'000));
      ++done[static_cast<size_t>(chunk)];
    });
    ASSERT_EQ(std::ssize(done), std::count(done.begin(), done.end(), 1));
  }
}

}  // namespace
}  // namespace td::testing
