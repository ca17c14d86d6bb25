// Programs on one device from several threads at once.
#include <thread>

#include "c_interface.h"

namespace td::testing {
namespace {

// Two programs add to the same cell, in two steps that another run in between would spoil; one of them by a copy
// stream.
TEST(ProgramsOnOneDevice, FollowOneAnother) {
  const Device device = openDevice(isas().back(), 3);
  const Buffer<int32_t> one(device, std::vector<int32_t>{1});
  const Buffer<float> total(device, std::vector<float>{0}), shared(device, 1), increment(device, std::vector<float>{1});
  const auto write = [&] {
    Program program(td_program_create(device));
    const auto tensor = [&](const Buffer<float>& buffer) { return tensorOf(program, buffer, 1); };
    ok(td_program_extent(program, tensorOf(program, one, 1)));
    const int32_t stream = ok(td_program_stream(program, TD_STREAM_COPY)), event = ok(td_program_event(program));
    ok(td_program_on(program, stream));
    ok(td_op_copy(program, tensor(total), tensor(shared)));
    ok(td_program_pace(program, 100'000));
    ok(td_op_copy(program, tensor(shared), tensor(shared)));
    ok(td_program_pace(program, 0));
    ok(td_op_signal(program, event));
    ok(td_program_on(program, 0));
    ok(td_op_wait(program, event));
    ok(td_op_add(program, tensor(shared), tensor(increment), tensor(total)));
    ok(td_program_finish(program));
    return program;
  };
  std::vector<Program> programs;
  for (int i = 0; i < 4; ++i) programs.push_back(write());
  const int runs = rounds(40);
  std::vector<std::thread> threads;
  for (const Program& program : programs) {
    threads.emplace_back([&] {
      for (int i = 0; i < runs; ++i) EXPECT_EQ(0, td_program_run(program, 0)) << errorMessage();
    });
  }
  // One of the programs from a second thread as well.
  threads.emplace_back([&] {
    for (int i = 0; i < runs; ++i) EXPECT_EQ(0, td_program_run(programs[0], 0)) << errorMessage();
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(static_cast<float>(5 * runs), total[0]);
}

// Opening, filling, writing, running and closing, all at once: nothing to see but that it works.
TEST(ProgramsOnOneDevice, AreWrittenAndClosedFromManyThreads) {
  const Device device = openDevice(isas().back(), 2);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < rounds(60); ++i) {
        const Buffer<int32_t> count(device, std::vector<int32_t>{8});
        const Buffer<float> x(device, std::vector<float>(8, static_cast<float>(thread))), out(device, 8);
        const Program program(td_program_create(device));
        ok(td_program_extent(program, tensorOf(program, count, 1)));
        ok(td_op_add(program, tensorOf(program, x, 1), tensorOf(program, x, 1), tensorOf(program, out, 1)));
        ok(td_program_finish(program));
        ASSERT_EQ(0, td_program_run(program, 0)) << errorMessage();
        for (const float value : out.all()) ASSERT_EQ(static_cast<float>(2 * thread), value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Misuse that must not corrupt anything: one program written, finished and run by several threads.
TEST(ProgramsOnOneDevice, OneProgramWrittenByManyThreads) {
  const Device device = openDevice(isas().back(), 2);
  const Buffer<int32_t> count(device, std::vector<int32_t>{1});
  const Buffer<float> x(device, 1), out(device, 1);
  for (int round = 0; round < rounds(20); ++round) {
    const Program program(td_program_create(device));
    ok(td_program_extent(program, tensorOf(program, count, 1)));
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 50; ++i) {
          const int32_t tensor = td_program_tensor(program, x.handle(), 0, TD_F32, TD_PLAIN, 1, 1);
          if (tensor >= 0) td_op_add(program, tensor, tensor, tensor);
          if (thread == 0 && i == 25) ok(td_program_finish(program));
          td_program_run(program, 0);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(0, td_program_run(program, 0)) << errorMessage();
  }
}

}  // namespace
}  // namespace td::testing
