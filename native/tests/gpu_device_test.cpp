// A GPU as a device, on the emulated one: memory that the host does not see, transfers in pieces, limits, faults, and
// programs that copy and compute on streams of their own.
#include <cstdlib>
#include <thread>

#include "c_interface.h"
#include "core/tiles.h"
#include "cuda/kernels/kernels.h"
#include "temporary_file.h"
#include "weights.h"

namespace td::testing {
namespace {

// What TANDEM_EMULATED says while a device is opened.
class Settings {
 public:
  explicit Settings(const char* text) { setenv("TANDEM_EMULATED", text, 1); }
  ~Settings() { unsetenv("TANDEM_EMULATED"); }
};

// By the CPU's kernels, and by those for GPUs.
class GpuDevice : public ::testing::TestWithParam<const char*> {
 protected:
  static const char* name() { return GetParam(); }
  static Device openEmulated(const char* settings = "", int64_t memoryLimit = 0) {
    const Settings during(settings);
    return Device(td_device_open(name(), "", 2, memoryLimit));
  }
};

INSTANTIATE_TEST_SUITE_P(Kernels, GpuDevice, ::testing::Values("emulated:0/host", "emulated:0/cuda"),
                         [](const auto& info) { return std::string(info.index == 0 ? "OfTheCpu" : "ForGpus"); });

std::vector<uint8_t> randomBytes(Random& random, int64_t count) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.integer(0, 255));
  return bytes;
}

std::vector<uint8_t> read(int64_t buffer, int64_t offset, int64_t count) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count), 0xcd);
  ok(td_buffer_read(buffer, offset, bytes.data(), count));
  return bytes;
}

TEST_P(GpuDevice, TheHostDoesNotSeeItsMemory) {
  const Device device = openEmulated();
  const BufferHandle own(td_buffer_create(device, 4096)), shared(td_buffer_create_shared(device, 4096));
  EXPECT_EQ(0, td_buffer_address(own));
  EXPECT_NE(0, ok(td_buffer_address(shared)));
  EXPECT_TRUE(refused(td_buffer_publish(own, 0, 1), TD_INVALID_ARGUMENT, "share it with the host"));
  EXPECT_EQ(std::vector<uint8_t>(4096, 0), read(own, 0, 4096));
  EXPECT_EQ(std::vector<uint8_t>(4096, 0), read(shared, 0, 4096));
  EXPECT_EQ(4096, ok(td_device_property(device, TD_PROPERTY_MEMORY_USED)));
}

TEST_P(GpuDevice, ReadsWeightsWithAllThreadsOfTheHost) {
  EXPECT_EQ(2, td_device_property(openEmulated(), TD_PROPERTY_THREADS));
}

TEST_P(GpuDevice, WritesAndReadsPiecesOfAnySize) {
  Random random(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const Device device = openEmulated();
  constexpr int64_t kBytes = (int64_t{9} << 20) + 4321;
  const BufferHandle buffer(td_buffer_create(device, kBytes));
  std::vector<uint8_t> expected(kBytes, 0);
  for (int i = 0; i < 20; ++i) {
    const int64_t offset = random.between(0, kBytes);
    const int64_t count = i == 0 ? 0 : random.between(0, kBytes - offset);
    const std::vector<uint8_t> bytes = randomBytes(random, count);
    ok(td_buffer_write(buffer, offset, bytes.data(), count));
    std::copy(bytes.begin(), bytes.end(), expected.begin() + offset);
    const int64_t from = random.between(0, kBytes);
    const int64_t length = random.between(0, kBytes - from);
    ASSERT_EQ(std::vector<uint8_t>(expected.begin() + from, expected.begin() + from + length),
              read(buffer, from, length));
  }
}

TEST_P(GpuDevice, ManyThreadsTransferAtTheSameTime) {
  const Device device = openEmulated();
  constexpr int64_t kBytes = 5 << 20;
  const BufferHandle buffer(td_buffer_create(device, 4 * kBytes));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&buffer, i] {
      const std::vector<uint8_t> bytes(kBytes, static_cast<uint8_t>(i + 1));
      ok(td_buffer_write(buffer, i * kBytes, bytes.data(), kBytes));
      EXPECT_EQ(bytes, read(buffer, i * kBytes, kBytes));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(GpuDevice, ItsMemoryEndsAndOthersLiveOn) {
  const Device device = openEmulated("memory=1048576"), limited = openEmulated("", 1000);
  const BufferHandle most(td_buffer_create(device, 1000000));
  EXPECT_EQ(1048576, ok(td_device_property(device, TD_PROPERTY_MEMORY_LIMIT)));
  EXPECT_TRUE(refused(td_buffer_create(device, 100000), TD_OUT_OF_MEMORY, name()));
  {
    const Settings small("memory=1048576");
    EXPECT_TRUE(refused(td_device_open(name(), "", 1, 2 << 20), TD_OUT_OF_MEMORY, "1.00 MiB of memory free"));
  }
  EXPECT_EQ(1000000, ok(td_device_property(device, TD_PROPERTY_MEMORY_USED)));
  EXPECT_TRUE(refused(td_buffer_create(limited, 1001), TD_OUT_OF_MEMORY, name()));
  const BufferHandle little(td_buffer_create(limited, 1000));
  EXPECT_EQ(std::vector<uint8_t>(16, 0), read(most, 5, 16));
}

TEST_P(GpuDevice, NamesThatAreNone) {
  EXPECT_TRUE(refused(td_device_open("emulated:99/host", "", 1, 0), TD_UNSUPPORTED, "no device emulated:99"));
  EXPECT_TRUE(refused(td_device_open("emulated:x/host", "", 1, 0), TD_UNSUPPORTED, "device emulated:x/host"));
  EXPECT_TRUE(refused(td_device_open("emulated:0/fast", "", 1, 0), TD_UNSUPPORTED, "device emulated:0/fast"));
  EXPECT_TRUE(refused(td_device_open("cuda:0/host", "", 1, 0), TD_UNSUPPORTED, "device cuda:0/host"));
  const Settings wrong("memory=5 colour=red");
  EXPECT_TRUE(refused(td_device_open(name(), "", 1, 0), TD_UNSUPPORTED, "'colour=red' is no setting"));
}

TEST_P(GpuDevice, FaultsEndARunAndNotTheProcess) {
  {
    const Device device = openEmulated("fail-copy=3");
    const BufferHandle buffer(td_buffer_create(device, 64));
    const std::vector<uint8_t> bytes(64, 7);
    ok(td_buffer_write(buffer, 0, bytes.data(), 64));
    ok(td_buffer_write(buffer, 0, bytes.data(), 64));
    EXPECT_LT(td_buffer_write(buffer, 0, bytes.data(), 64), 0);
    ok(td_buffer_write(buffer, 0, bytes.data(), 64));
    EXPECT_EQ(bytes, read(buffer, 0, 64));
  }
  {
    const Device device = openEmulated("fail-allocation=2");
    const BufferHandle first(td_buffer_create(device, 64));
    EXPECT_TRUE(refused(td_buffer_create(device, 64), TD_OUT_OF_MEMORY, std::string(name()) + " has no 64 bytes"));
    const BufferHandle third(td_buffer_create(device, 64));
  }
  const Device lost = openEmulated("lose-at=4"), other = openEmulated();
  const BufferHandle buffer(td_buffer_create(lost, 64));
  const std::vector<uint8_t> bytes(64, 7);
  int64_t result = 0;
  for (int i = 0; i < 8 && result == 0; ++i) result = td_buffer_write(buffer, 0, bytes.data(), 64);
  EXPECT_TRUE(refused(result, TD_DEVICE_LOST, name()));
  EXPECT_TRUE(refused(td_buffer_create(lost, 64), TD_DEVICE_LOST, name()));
  const BufferHandle elsewhere(td_buffer_create(other, 64));
  ok(td_buffer_write(elsewhere, 0, bytes.data(), 64));
  EXPECT_EQ(bytes, read(elsewhere, 0, 64));
}

// Two rows of x are added to two of y on the compute stream while a copy stream brings other rows to the device and
// takes them away again.
TEST_P(GpuDevice, StreamsCopyAndCompute) {
  const Device device = openEmulated();
  const Buffer<int32_t> count(device, std::vector<int32_t>{2});
  const Buffer<float> host(device, {1, 2, 3, 4, 5, 6}), back(device, 6);
  const BufferHandle own(td_buffer_create(device, 2 * 6 * 4));
  const Program program(td_program_create(device));
  ok(td_program_extent(program, tensorOf(program, count, 1)));
  const int32_t source = tensorOf(program, host, 3), target = tensorOf(program, back, 3);
  const int32_t x = ok(td_program_tensor(program, own, 0, TD_F32, TD_PLAIN, 2, 3));
  const int32_t y = ok(td_program_tensor(program, own, 24, TD_F32, TD_PLAIN, 2, 3));
  const int32_t copies = ok(td_program_stream(program, TD_STREAM_COPY));
  const int32_t here = ok(td_program_event(program)), done = ok(td_program_event(program));
  ok(td_program_on(program, copies));
  ok(td_op_copy(program, source, x));
  ok(td_op_signal(program, here));
  ok(td_program_on(program, 0));
  ok(td_op_wait(program, here));
  ok(td_op_add(program, x, source, y));
  ok(td_op_signal(program, done));
  ok(td_program_on(program, copies));
  ok(td_op_wait(program, done));
  ok(td_op_copy(program, y, target));
  ok(td_program_finish(program));
  for (int run = 0; run < 50; ++run) {
    for (int i = 0; i < 6; ++i) host[i] = static_cast<float>(run + i);
    back.fill(-1);
    ok(td_program_run(program, 0));
    for (int i = 0; i < 6; ++i) ASSERT_EQ(2.0f * static_cast<float>(run + i), back[i]) << run << ' ' << i;
  }
  count[0] = 3;
  EXPECT_TRUE(refused(td_program_run(program, 0), TD_INVALID_ARGUMENT, "extent is 3"));
  count[0] = 0;
  back.fill(-1);
  ok(td_program_run(program, 0));
  EXPECT_EQ(-1, back[0]);
}

// Two streams select at the same time: neither works in the memory of the other.
TEST_P(GpuDevice, StreamsWorkInMemoryOfTheirOwn) {
  constexpr int64_t kVocabulary = 20'000, kCandidates = 40;
  const Device device = openEmulated("checked=1");
  const Buffer<int32_t> count(device, std::vector<int32_t>{1});
  const Program program(td_program_create(device));
  ok(td_program_extent(program, tensorOf(program, count, 1)));
  struct Selection {
    Buffer<float> logits, values, sums;
    Buffer<int32_t> ids;
  };
  std::vector<Selection> selections;
  for (int i = 0; i < 2; ++i) {
    Selection& s = selections.emplace_back(Buffer<float>(device, kVocabulary), Buffer<float>(device, kCandidates),
                                           Buffer<float>(device, 1), Buffer<int32_t>(device, kCandidates));
    for (int64_t id = 0; id < kVocabulary; ++id) {
      s.logits[id] = static_cast<float>(id * (i == 0 ? 7 : 11) % kVocabulary) / kVocabulary;
    }
    if (i > 0) ok(td_program_on(program, ok(td_program_stream(program, TD_STREAM_COMPUTE))));
    ok(td_op_select(program, tensorOf(program, s.logits, kVocabulary), tensorOf(program, s.ids, kCandidates),
                    tensorOf(program, s.values, kCandidates), tensorOf(program, s.sums, 1)));
  }
  ok(td_program_finish(program));
  for (int run = 0; run < 5; ++run) {
    for (const Selection& s : selections) s.ids.fill(-1);
    ASSERT_EQ(0, td_program_run(program, 0)) << errorMessage();
    for (const Selection& s : selections) {
      for (int64_t place = 0; place < kCandidates; ++place) {
        const float expected = static_cast<float>(kVocabulary - 1 - place) / kVocabulary;
        ASSERT_EQ(expected, s.values[place]) << place;
        ASSERT_EQ(expected, s.logits[s.ids[place]]) << place;
      }
    }
  }
}

// A program of one copy to the device and one addition there.
class CopyAndAdd {
 public:
  explicit CopyAndAdd(const Device& device, int64_t pace = 0)
      : count_(device, std::vector<int32_t>{2}),
        host_(device, {1, 2, 3, 4, 5, 6}),
        own_(td_buffer_create(device, 48)),
        program_(td_program_create(device)) {
    ok(td_program_extent(program_, tensorOf(program_, count_, 1)));
    const int32_t source = tensorOf(program_, host_, 3);
    const int32_t x = ok(td_program_tensor(program_, own_, 0, TD_F32, TD_PLAIN, 2, 3));
    const int32_t y = ok(td_program_tensor(program_, own_, 24, TD_F32, TD_PLAIN, 2, 3));
    ok(td_op_copy(program_, source, x));
    ok(td_program_pace(program_, pace));
    ok(td_op_add(program_, x, source, y));
    ok(td_program_finish(program_));
  }
  int32_t run(int64_t flag = 0) { return td_program_run(program_, flag); }
  float sum() {
    const std::vector<uint8_t> bytes = read(own_, 24, 4);
    float value;
    memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

 private:
  Buffer<int32_t> count_;
  Buffer<float> host_;
  BufferHandle own_;
  Program program_;
};

TEST_P(GpuDevice, ARunCanBeAborted) {
  const Device device = openEmulated();
  constexpr int64_t kLong = 60'000'000'000;  // nanoseconds: nobody waits for it
  CopyAndAdd slow(device, kLong), quick(device);
  const Flag flag(td_flag_create());
  std::thread abort([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ok(td_flag_set(flag));
  });
  EXPECT_TRUE(refused(slow.run(flag), TD_ABORTED, "aborted"));
  abort.join();
  EXPECT_TRUE(refused(quick.run(flag), TD_ABORTED, "aborted"));
  ok(quick.run());
  EXPECT_EQ(2, quick.sum());
}

TEST_P(GpuDevice, ADeviceThatIsLostEndsItsRunsAndNoOthers) {
  const Device lost = openEmulated("lose-at=30"), other = openEmulated();
  CopyAndAdd here(lost), there(other);
  int32_t result = 0;
  for (int i = 0; i < 40 && result == 0; ++i) result = here.run();
  EXPECT_TRUE(refused(result, TD_DEVICE_LOST, name()));
  EXPECT_TRUE(refused(here.run(), TD_DEVICE_LOST, name()));
  ok(there.run());
  EXPECT_EQ(2, there.sum());
}

TEST_P(GpuDevice, AKernelThatFailsLosesTheDevice) {
  if (name() != std::string("emulated:0/cuda")) GTEST_SKIP() << "the CPU's kernels are not launched";
  const Device lost = openEmulated("fail-launch=3"), other = openEmulated();
  CopyAndAdd here(lost), there(other);
  ok(here.run());
  ok(here.run());
  EXPECT_TRUE(refused(here.run(), TD_DEVICE_LOST, "launch 3 is to fail"));
  EXPECT_TRUE(refused(here.run(), TD_DEVICE_LOST, name()));
  EXPECT_EQ(-TD_DEVICE_LOST, td_buffer_create(lost, 64));
  ok(there.run());
}

// Kernels for GPUs read several elements at once, and weights in tiles alone.
TEST_P(GpuDevice, WhatItsKernelsCannotReadIsRefused) {
  if (name() != std::string("emulated:0/cuda")) GTEST_SKIP() << "the CPU's kernels read anything";
  const Device device = openEmulated();
  const Buffer<int32_t> count(device, std::vector<int32_t>{1});
  const BufferHandle own(td_buffer_create(device, 1 << 16));
  const auto refusal = [&](const auto& append) {
    const Program program(td_program_create(device));
    ok(td_program_extent(program, tensorOf(program, count, 1)));
    ok(append(program, [&](int64_t offset, int32_t type, td_layout layout, int64_t rows, int64_t columns) {
      return ok(td_program_tensor(program, own, offset, type, layout, rows, columns));
    }));
    const int32_t result = td_program_finish(program);
    EXPECT_EQ(-TD_UNSUPPORTED, result);
    return errorMessage();
  };
  const auto matmul = [](int64_t weight, td_layout layout, int64_t x) {
    return [=](int64_t program, const auto& tensor) {
      return td_op_matmul(program, tensor(weight, TD_Q8_0, layout, 16, 32), tensor(x, TD_ACT8, TD_PLAIN, 1, 32), -1,
                          tensor(8192, TD_F32, TD_PLAIN, 1, 16));
    };
  };
  const auto names = [](const std::string& message, const char* part) {
    return message.find(part) != std::string::npos ? ::testing::AssertionSuccess()
                                                   : ::testing::AssertionFailure() << message;
  };
  EXPECT_TRUE(names(refusal(matmul(0, TD_PLAIN, 4096)), "needs its weights in tiles"));
  EXPECT_TRUE(names(refusal(matmul(8, TD_TILES, 4096)), "matmul: weight: its address is no multiple of 16"));
  EXPECT_TRUE(names(refusal(matmul(0, TD_TILES, 4100)), "matmul: x: its address is no multiple of 16"));
  EXPECT_TRUE(names(refusal([](int64_t program, const auto& tensor) {
                      return td_op_select(program, tensor(0, TD_F32, TD_PLAIN, 1, 9),
                                          tensor(64, TD_I32, TD_PLAIN, 1, 1), tensor(128, TD_F32, TD_PLAIN, 1, 1),
                                          tensor(192, TD_F32, TD_PLAIN, 1, 1));
                    }),
                    "log_sums must lie in memory that the host shares"));
}

TEST_P(GpuDevice, WhatIsOfAnotherDeviceIsNoTensor) {
  const Device device = openEmulated(), same = openEmulated(), cpu(td_device_open("cpu", "", 1, 0));
  const Program program(td_program_create(device)), onCpu(td_program_create(cpu));
  const BufferHandle own(td_buffer_create(device, 64)), ofSame(td_buffer_create(same, 64));
  const BufferHandle shared(td_buffer_create_shared(same, 64)), ofCpu(td_buffer_create(cpu, 64));
  const auto tensor = [](int64_t of, int64_t buffer) {
    return td_program_tensor(of, buffer, 0, TD_F32, TD_PLAIN, 1, 4);
  };
  ok(tensor(program, own));
  ok(tensor(onCpu, ofCpu));
  EXPECT_TRUE(refused(tensor(program, ofCpu), TD_INVALID_ARGUMENT, "cannot reach a buffer of cpu"));
  EXPECT_TRUE(refused(tensor(program, ofSame), TD_INVALID_ARGUMENT, "cannot reach a buffer of emulated:0"));
  EXPECT_TRUE(refused(tensor(program, shared), TD_INVALID_ARGUMENT, "cannot reach a buffer of emulated:0"));
  EXPECT_TRUE(refused(tensor(onCpu, own), TD_INVALID_ARGUMENT, "cannot reach a buffer of emulated:0"));
}

// Room for the pieces of a token at the end of such a context: a GPU takes them all at once, and 8 KV heads alone are
// not enough work for it.
TEST_P(GpuDevice, TheAttentionOfALongContextIsSpread) {
  if (name() != std::string("emulated:0/cuda")) GTEST_SKIP() << "the CPU's kernels share in another way";
  const Device device = openEmulated();
  constexpr int64_t kContext = 131'072;
  for (const auto& [heads, kvHeads, headSize] : {std::tuple{32, 8, 128}, {64, 8, 64}, {8, 1, 256}}) {
    EXPECT_GE(ok(td_work_bytes_of_attention(device, heads, kvHeads, headSize)),
              4 * attentionWorkFloats(heads, headSize, kContext));
  }
}

TEST_P(GpuDevice, CountsLieWhereTheHostReads) {
  const Device device = openEmulated();
  const BufferHandle own(td_buffer_create(device, 64));
  const Program program(td_program_create(device));
  const int32_t count = ok(td_program_tensor(program, own, 0, TD_I32, TD_PLAIN, 1, 1));
  EXPECT_TRUE(refused(td_program_extent(program, count), TD_INVALID_ARGUMENT, "what host and device share"));
  EXPECT_TRUE(refused(td_op_await(program, count, 1), TD_INVALID_ARGUMENT, "what host and device share"));
}

TEST_P(GpuDevice, TensorsLieThereAsTheyDoOnTheCpu) {
  Random random(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const Device cpu(td_device_open("cpu", "", 1, 0)), device = openEmulated();
  for (const auto& [type, target, layout] : {std::tuple{TD_Q4_0, TD_Q4_0, TD_TILES},
                                             {TD_Q6_K, TD_Q6_K, TD_TILES},
                                             {TD_Q8_0, TD_Q8_0, TD_PLAIN},
                                             {TD_F16, TD_BF16, TD_TILES},
                                             {TD_F16, TD_F32, TD_PLAIN},
                                             {TD_BF16, TD_BF16, TD_TILES}}) {
    const Format& format = formatOf(type);
    const int64_t rows = random.between(1, 3000), columns = 256 * random.between(1, 9);
    const int64_t bytes = matrixBytes(format, TD_PLAIN, rows, columns);
    const TemporaryFile temporary(randomBytes(random, bytes + 96));
    const FileHandle file(td_file_open(temporary.path()));
    const int64_t size = ok(td_tensor_bytes(target, layout, rows, columns));
    const BufferHandle expected(td_buffer_create(cpu, size + 256)), loaded(td_buffer_create(device, size + 256));
    for (const int64_t buffer : {int64_t{expected}, int64_t{loaded}}) {
      ok(td_tensor_load(file, 96, type, rows, columns, buffer, 128, target, layout));
    }
    ASSERT_EQ(read(expected, 0, size + 256), read(loaded, 0, size + 256))
        << typeName(type) << ' ' << rows << ' ' << columns;
  }
}

}  // namespace
}  // namespace td::testing
