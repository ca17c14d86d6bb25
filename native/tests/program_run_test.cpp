// Running programs: extents that the device computes, events between streams, pacing, abort.
#include <atomic>
#include <chrono>
#include <thread>

#include "c_interface.h"
#include "core/run_state.h"
#include "core/status.h"

namespace td::testing {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

int64_t elapsedMillis(Clock::time_point since) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - since).count();
}

constexpr int64_t kMillisecond = 1'000'000;

// A device with a program that is being written, and a count of 1 as its extent.
class ProgramRun : public ::testing::Test {
 protected:
  ProgramRun()
      : device_(openDevice(isas().back(), 3)),
        program_(td_program_create(device_)),
        one_(device_, std::vector<int32_t>{1}) {
    ok(td_program_extent(program_, tensorOf(program_, one_, 1)));
  }

  int32_t copyStream() { return ok(td_program_stream(program_, TD_STREAM_COPY)); }
  void on(int32_t stream) { ok(td_program_on(program_, stream)); }
  void copy(const Buffer<float>& from, const Buffer<float>& to) {
    ok(td_op_copy(program_, tensorOf(program_, from, from.size()), tensorOf(program_, to, to.size())));
  }
  void add(const Buffer<float>& x, const Buffer<float>& y, const Buffer<float>& out) {
    ok(td_op_add(program_, tensorOf(program_, x, x.size()), tensorOf(program_, y, y.size()),
                 tensorOf(program_, out, out.size())));
  }
  int64_t run(int64_t flag = 0) { return td_program_run(program_, flag); }

  Device device_;
  Program program_;
  Buffer<int32_t> one_;
};

// ---- Extents ------------------------------------------------------------------------------------

TEST_F(ProgramRun, ACountWrittenByAnEarlierOperationCounts) {
  const Buffer<int32_t> source(device_, 1), count(device_, std::vector<int32_t>{-7});
  const Buffer<float> x(device_, std::vector<float>(8, 2)), out(device_, 8);
  ok(td_op_copy(program_, tensorOf(program_, source, 1), tensorOf(program_, count, 1)));
  ok(td_program_extent(program_, tensorOf(program_, count, 1)));
  ok(td_op_add(program_, tensorOf(program_, x, 1), tensorOf(program_, x, 1), tensorOf(program_, out, 1)));
  ok(td_program_finish(program_));
  for (const int32_t rows : {3, 0, 8, 1}) {
    out.fill(-1);
    source[0] = rows;
    ASSERT_EQ(0, run()) << errorMessage();
    for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(i < rows ? 4 : -1, out[i]) << "row " << i << " of " << rows;
  }
  for (const int32_t rows : {9, -1, INT32_MAX, INT32_MIN}) {
    source[0] = rows;
    EXPECT_TRUE(
        refused(run(), TD_INVALID_ARGUMENT, "extent is " + std::to_string(rows) + "; its tensors hold up to 8 rows"));
  }
  source[0] = 2;
  EXPECT_EQ(0, run()) << "after failures: " << errorMessage();
}

TEST_F(ProgramRun, TheExtentIsBoundedByTheSmallestTensor) {
  const Buffer<float> x(device_, 8), y(device_, 5), out(device_, 6);
  ok(td_op_add(program_, tensorOf(program_, x, 1), tensorOf(program_, y, 1), tensorOf(program_, out, 1)));
  ok(td_program_finish(program_));
  one_[0] = 5;
  EXPECT_EQ(0, run()) << errorMessage();
  one_[0] = 6;
  EXPECT_TRUE(refused(run(), TD_INVALID_ARGUMENT, "up to 5 rows"));
}

// More rows than the pool has chunks for a stage (16,000), and more blocks of tokens.
TEST_F(ProgramRun, ManyRows) {
  constexpr int64_t kRows = 40'000, kMatMulRows = 2'300'000;
  const Buffer<int32_t> count(device_, std::vector<int32_t>{kRows}), many(device_, std::vector<int32_t>{kMatMulRows});
  const Buffer<float> logits(device_, kRows * 3), values(device_, kRows * 2), sums(device_, kRows);
  const Buffer<int32_t> ids(device_, kRows * 2);
  const Buffer<float> weight(device_, std::vector<float>(2, 3)), x(device_, kMatMulRows), out(device_, kMatMulRows * 2);
  for (int64_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 1000);
  ok(td_program_extent(program_, tensorOf(program_, count, 1)));
  ok(td_op_select(program_, tensorOf(program_, logits, 3), tensorOf(program_, ids, 2), tensorOf(program_, values, 2),
                  tensorOf(program_, sums, 1)));
  ok(td_program_extent(program_, tensorOf(program_, many, 1)));
  ok(td_op_matmul(program_, tensorOf(program_, weight, 1), tensorOf(program_, x, 1), -1, tensorOf(program_, out, 2)));
  ok(td_program_finish(program_));
  ASSERT_EQ(0, run()) << errorMessage();
  for (int64_t row = 0; row < kRows; ++row) {
    const float* of = &logits[3 * row];
    ASSERT_EQ(std::max({of[0], of[1], of[2]}), values[2 * row]) << row;
    ASSERT_EQ(of[ids[2 * row + 1]], values[2 * row + 1]) << row;
  }
  for (int64_t row = 0; row < kMatMulRows; row += 997) ASSERT_EQ(3 * x[row], out[2 * row + 1]) << row;
}

// ---- Streams, events, pacing --------------------------------------------------------------------

TEST_F(ProgramRun, PaceIsTheLeastAnOperationTakes) {
  const Buffer<float> x(device_, 4), y(device_, 4);
  ok(td_program_pace(program_, 20 * kMillisecond));
  copy(x, y);
  copy(y, x);
  ok(td_program_pace(program_, 0));
  copy(x, y);
  ok(td_program_finish(program_));
  const auto start = Clock::now();
  ASSERT_EQ(0, run());
  EXPECT_GE(elapsedMillis(start), 40);
  EXPECT_LT(elapsedMillis(start), 2000);
  // An operation with nothing to do takes its time as well: a schedule is studied as it is.
  one_[0] = 0;
  const auto again = Clock::now();
  ASSERT_EQ(0, run());
  EXPECT_GE(elapsedMillis(again), 40);
}

// 600 ms on each: together, if they overlap, well under 1200.
TEST_F(ProgramRun, StreamsOverlap) {
  const Buffer<float> a(device_, 4), b(device_, 4), c(device_, 4), d(device_, 4);
  const int32_t stream = copyStream();
  ok(td_program_pace(program_, 600 * kMillisecond));
  copy(a, b);
  on(stream);
  copy(c, d);
  ok(td_program_finish(program_));
  const auto start = Clock::now();
  ASSERT_EQ(0, run());
  EXPECT_GE(elapsedMillis(start), 600);
  EXPECT_LT(elapsedMillis(start), 1150);
}

// A slow chain over both streams and back: without the events the fast side would read the old value.
TEST_F(ProgramRun, EventsOrderStreams) {
  const Buffer<float> x(device_, std::vector<float>{0}), y(device_, std::vector<float>{-1}),
      z(device_, std::vector<float>{-1});
  const Buffer<float> increment(device_, std::vector<float>{1}), out(device_, std::vector<float>{-1});
  const int32_t stream = copyStream(), ready = ok(td_program_event(program_)), copied = ok(td_program_event(program_));
  ok(td_program_pace(program_, 5 * kMillisecond));
  add(x, increment, x);
  ok(td_program_pace(program_, 0));
  ok(td_op_signal(program_, ready));
  on(stream);
  ok(td_op_wait(program_, ready));
  ok(td_program_pace(program_, 5 * kMillisecond));
  copy(x, y);
  copy(y, z);
  ok(td_program_pace(program_, 0));
  ok(td_op_signal(program_, copied));
  on(0);
  ok(td_op_wait(program_, copied));
  add(z, increment, out);
  ok(td_program_finish(program_));
  for (int i = 1; i <= 10; ++i) {
    ASSERT_EQ(0, run()) << errorMessage();
    ASSERT_EQ(i + 1, out[0]) << "run " << i << ": an event of the run before counted";
  }
}

// Without an event, and with pace as the only order, the copy sees the value of before.
TEST_F(ProgramRun, StreamsAreNotOrderedWithoutEvents) {
  const Buffer<float> x(device_, std::vector<float>{1}), increment(device_, std::vector<float>{1}), scratch(device_, 1),
      seen(device_, 1);
  const int32_t stream = copyStream();
  ok(td_program_pace(program_, 100 * kMillisecond));
  copy(scratch, scratch);
  ok(td_program_pace(program_, 0));
  add(x, increment, x);
  on(stream);
  copy(x, seen);
  ok(td_program_finish(program_));
  ASSERT_EQ(0, run());
  EXPECT_EQ(1, seen[0]);
  EXPECT_EQ(2, x[0]);
}

TEST_F(ProgramRun, ManyStreamsPassAValueAround) {
  constexpr int kStreams = 5, kRounds = 20;
  std::vector<Buffer<float>> cells;
  for (int i = 0; i <= kStreams * kRounds; ++i)
    cells.emplace_back(device_, std::vector<float>(64, static_cast<float>(-i)));
  std::vector<int32_t> streams = {0};
  for (int i = 1; i < kStreams; ++i) streams.push_back(copyStream());
  int32_t before = -1;
  for (int i = 0; i < kStreams * kRounds; ++i) {
    on(streams[static_cast<size_t>(i % kStreams)]);
    if (before >= 0) ok(td_op_wait(program_, before));
    copy(cells[static_cast<size_t>(i)], cells[static_cast<size_t>(i) + 1]);
    before = ok(td_program_event(program_));
    ok(td_op_signal(program_, before));
  }
  ok(td_program_finish(program_));
  for (int i = 0; i < rounds(40); ++i) {
    cells[0].fill(static_cast<float>(i));
    ASSERT_EQ(0, run());
    for (const float value : cells.back().all()) ASSERT_EQ(static_cast<float>(i), value);
  }
}

// ---- Awaiting the host --------------------------------------------------------------------------

// A word that says how much of `loaded` is there; the program copies each part as soon as it may.
TEST_F(ProgramRun, AwaitsWhatTheHostLoads) {
  constexpr int kStages = 20;
  const Buffer<int32_t> word(device_, 1);
  const Buffer<float> loaded(device_, kStages), out(device_, kStages);
  for (int stage = 0; stage < kStages; ++stage) {
    const int64_t at = stage * 4;
    ok(td_op_await(program_, tensorOf(program_, word, 1), stage + 1));
    ok(td_op_copy(program_, ok(td_program_tensor(program_, loaded.handle(), at, TD_F32, TD_PLAIN, 1, 1)),
                  ok(td_program_tensor(program_, out.handle(), at, TD_F32, TD_PLAIN, 1, 1))));
  }
  ok(td_program_finish(program_));
  std::thread host([&] {
    for (int stage = 0; stage < kStages; ++stage) {
      std::this_thread::sleep_for(milliseconds(stage % 3));
      loaded[stage] = static_cast<float>(stage + 1);
      ok(td_buffer_publish(word.handle(), 0, stage + 1));
    }
  });
  EXPECT_EQ(0, run()) << errorMessage();
  for (int stage = 0; stage < kStages; ++stage) EXPECT_EQ(static_cast<float>(stage + 1), out[stage]);
  host.join();
  // What is there once is not waited for again; what goes beyond suffices.
  word[0] = INT32_MAX;
  out.fill(0);
  EXPECT_EQ(0, run()) << errorMessage();
  EXPECT_EQ(1, out[0]);
}

TEST_F(ProgramRun, WhatWillNotComeFailsTheRun) {
  const Buffer<int32_t> word(device_, 1);
  const Buffer<float> x(device_, 1), out(device_, 1);
  ok(td_op_await(program_, tensorOf(program_, word, 1), 1));
  copy(x, out);
  ok(td_program_finish(program_));
  x[0] = 1;
  std::thread host([&] {
    std::this_thread::sleep_for(milliseconds(20));
    ok(td_buffer_publish(word.handle(), 0, -1));
  });
  EXPECT_TRUE(refused(run(), TD_INTERRUPTED, "will not come"));
  host.join();
  EXPECT_TRUE(refused(run(), TD_INTERRUPTED, "will not come")) << "the same again";
  EXPECT_EQ(0, out[0]);
  one_[0] = 0;
  EXPECT_EQ(0, run()) << "nothing is computed, and nothing awaited: " << errorMessage();
}

TEST_F(ProgramRun, WhoAwaitsCanBeAborted) {
  const Buffer<int32_t> word(device_, 1);
  ok(td_op_await(program_, tensorOf(program_, word, 1), 1));
  ok(td_program_finish(program_));
  const Flag flag(td_flag_create());
  const auto start = Clock::now();
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    ok(td_flag_set(flag));
  });
  EXPECT_EQ(-TD_ABORTED, run(flag));
  EXPECT_GE(elapsedMillis(start), 20);
  EXPECT_LT(elapsedMillis(start), 1000);
  other.join();
}

TEST_F(ProgramRun, AwaitTakesOneWordOfTheComputeStream) {
  const Buffer<int32_t> word(device_, 2);
  const Buffer<float> x(device_, 1);
  EXPECT_TRUE(refused(td_op_await(program_, tensorOf(program_, word, 1), 1), TD_INVALID_ARGUMENT, "2 rows"));
  EXPECT_TRUE(refused(td_op_await(program_, tensorOf(program_, word, 2), 1), TD_INVALID_ARGUMENT, "2 columns"));
  EXPECT_TRUE(refused(td_op_await(program_, tensorOf(program_, x, 1), 1), TD_INVALID_ARGUMENT, "await: word"));
  EXPECT_TRUE(refused(td_op_await(program_, 99, 1), TD_INVALID_ARGUMENT, "tensor 99"));
  EXPECT_TRUE(refused(td_buffer_publish(word.handle(), 8, 1), TD_INVALID_ARGUMENT, "outside the buffer of 8 bytes"));
  EXPECT_TRUE(refused(td_buffer_publish(word.handle(), 2, 1), TD_INVALID_ARGUMENT, "offset 2 is no multiple of 4"));
  EXPECT_TRUE(refused(td_op_await(program_, tensorOf(program_, one_, 1), -1), TD_INVALID_ARGUMENT, "-1 is negative"));
  on(copyStream());
  ok(td_op_await(program_, tensorOf(program_, one_, 1), 1));
  EXPECT_TRUE(refused(td_program_finish(program_), TD_INVALID_ARGUMENT, "copy stream"));
}

TEST_F(ProgramRun, WaitBeforeSignalIsRefused) {
  const int32_t event = ok(td_program_event(program_));
  EXPECT_TRUE(
      refused(td_op_wait(program_, event), TD_INVALID_ARGUMENT, "event 0 is not signalled by an earlier operation"));
  ok(td_op_signal(program_, event));
  EXPECT_TRUE(refused(td_op_signal(program_, event), TD_INVALID_ARGUMENT, "event 0 is signalled twice"));
  ok(td_op_wait(program_, event));
  EXPECT_TRUE(refused(td_op_wait(program_, 1), TD_INVALID_ARGUMENT, "event 1 does not exist"));
  EXPECT_TRUE(refused(td_op_signal(program_, -1), TD_INVALID_ARGUMENT, "event -1 does not exist"));
}

TEST_F(ProgramRun, CopyStreamsTakeCopiesOnly) {
  const Buffer<float> x(device_, 4);
  on(copyStream());
  add(x, x, x);
  EXPECT_TRUE(refused(td_program_finish(program_), TD_INVALID_ARGUMENT, "copy stream"));
}

// A copy that fails (its extent) ends the compute stream's wait for it.
TEST_F(ProgramRun, AFailureOnOneStreamEndsTheOthers) {
  const Buffer<float> x(device_, 4), y(device_, 4);
  const Buffer<int32_t> bad(device_, std::vector<int32_t>{5});
  const int32_t event = ok(td_program_event(program_)), stream = copyStream();
  on(stream);
  ok(td_program_extent(program_, tensorOf(program_, bad, 1)));
  copy(x, y);
  ok(td_op_signal(program_, event));
  on(0);
  ok(td_op_wait(program_, event));
  ok(td_program_finish(program_));
  EXPECT_TRUE(refused(run(), TD_INVALID_ARGUMENT, "extent is 5"));
  bad[0] = 1;
  EXPECT_EQ(0, run()) << errorMessage();
}

// ---- Abort --------------------------------------------------------------------------------------

TEST_F(ProgramRun, AFlagThatIsSetBeforeStopsTheRunAtOnce) {
  const Buffer<float> x(device_, std::vector<float>{1}), y(device_, std::vector<float>{2});
  copy(x, y);
  ok(td_program_finish(program_));
  const Flag flag(td_flag_create());
  ok(td_flag_set(flag));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(refused(run(flag), TD_ABORTED, "aborted")) << "it stays set";
  EXPECT_EQ(2, y[0]);
  ok(td_flag_clear(flag));
  EXPECT_EQ(0, run(flag)) << errorMessage();
  EXPECT_EQ(1, y[0]);
}

// Sets the flag while the program runs; returns how long after that the run ended.
int64_t abortAfter(int64_t program, int64_t flag, milliseconds delay) {
  std::atomic<int64_t> result{1};
  std::thread runner([&] { result = td_program_run(program, flag); });
  std::this_thread::sleep_for(delay);
  const auto start = Clock::now();
  ok(td_flag_set(flag));
  runner.join();
  EXPECT_EQ(-TD_ABORTED, result);
  return elapsedMillis(start);
}

TEST_F(ProgramRun, AbortEndsPacingAndWaiting) {
  const Buffer<float> x(device_, 4), y(device_, 4);
  const int32_t event = ok(td_program_event(program_)), stream = copyStream();
  on(stream);
  ok(td_program_pace(program_, 20'000 * kMillisecond));
  copy(x, y);
  ok(td_op_signal(program_, event));
  on(0);
  ok(td_op_wait(program_, event));
  ok(td_program_finish(program_));
  const Flag flag(td_flag_create());
  EXPECT_LT(abortAfter(program_, flag, milliseconds(20)), 1000);
}

TEST_F(ProgramRun, AbortEndsComputing) {
  constexpr int64_t kSize = 512, kTokens = 64;
  const int operations = kSanitizer ? 2'000 : 20'000;  // some seconds
  const Buffer<int32_t> count(device_, std::vector<int32_t>{kTokens});
  const Buffer<float> weight(device_, kSize * kSize), x(device_, kTokens * kSize), out(device_, kTokens * kSize);
  ok(td_program_extent(program_, tensorOf(program_, count, 1)));
  for (int i = 0; i < operations; ++i) {
    ok(td_op_matmul(program_, tensorOf(program_, weight, kSize), tensorOf(program_, x, kSize), -1,
                    tensorOf(program_, out, kSize)));
  }
  ok(td_program_finish(program_));
  const Flag flag(td_flag_create());
  EXPECT_LT(abortAfter(program_, flag, milliseconds(30)), 1000);
  // The device is as before.
  const Program next(td_program_create(device_));
  ok(td_program_finish(next));
  EXPECT_EQ(0, td_program_run(next, 0)) << errorMessage();
}

TEST_F(ProgramRun, AFlagThatIsClearedAgainHasAborted) {
  const Buffer<float> x(device_, 4), y(device_, 4);
  ok(td_program_pace(program_, 100 * kMillisecond));
  for (int i = 0; i < 100; ++i) copy(x, y);
  ok(td_program_finish(program_));
  const Flag flag(td_flag_create());
  std::atomic<int64_t> result{1};
  std::thread runner([&] { result = run(flag); });
  std::this_thread::sleep_for(milliseconds(10));
  ok(td_flag_set(flag));
  std::this_thread::sleep_for(milliseconds(50));  // pacing looks every 2 ms
  ok(td_flag_clear(flag));
  runner.join();
  EXPECT_EQ(-TD_ABORTED, result);
}

TEST(RunState, KeepsTheFirstFailureUnlessOneExplainsIt) {
  RunState state(0);
  const auto failure = [](td_status status) { return std::make_exception_ptr(Failure(status, "planted")); };
  const auto told = [&] {
    try {
      state.finish();
    } catch (const Failure& e) {
      return e.status();
    }
    return TD_OK;
  };
  state.start(nullptr);
  EXPECT_EQ(TD_OK, told());
  state.fail(failure(TD_INTERNAL));
  state.fail(failure(TD_DEVICE_LOST));
  EXPECT_EQ(TD_INTERNAL, told());
  state.fail(failure(TD_DEVICE_LOST), true);
  EXPECT_EQ(TD_DEVICE_LOST, told());
  state.start(nullptr);
  EXPECT_EQ(TD_OK, told());
}

TEST_F(ProgramRun, AFlagMayBeClosedWhileItIsInUse) {
  const Buffer<float> x(device_, 4), y(device_, 4);
  ok(td_program_pace(program_, 300 * kMillisecond));
  copy(x, y);
  ok(td_program_finish(program_));
  std::atomic<int64_t> result{1};
  // On a busy machine the thread may come too late, when the flag is closed already: then it is given more time.
  for (const milliseconds head : {milliseconds(10), milliseconds(50), milliseconds(200)}) {
    Flag flag(td_flag_create());
    std::thread runner([&, handle = static_cast<int64_t>(flag)] { result = run(handle); });
    std::this_thread::sleep_for(head);
    flag.close();
    runner.join();
    if (result != -TD_INVALID_ARGUMENT) break;
  }
  EXPECT_EQ(0, result);
}

}  // namespace
}  // namespace td::testing
