// Devices, buffers, flags and handles of the C interface: life and death, limits, messages.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <thread>

#include "c_interface.h"
#include "core/handles.h"

namespace td::testing {
namespace {

::testing::AssertionResult invalid(int64_t result, const std::string& part) {
  return refused(result, TD_INVALID_ARGUMENT, part);
}

TEST(Abi, Version) {
  EXPECT_EQ(TD_ABI_VERSION, td_abi_version());
}

// ---- Messages -----------------------------------------------------------------------------------

TEST(Messages, AreCutToTheCapacity) {
  EXPECT_TRUE(invalid(td_buffer_close(12345), "handle 12345 is no open buffer"));
  const std::string whole = "handle 12345 is no open buffer";
  for (size_t capacity = 0; capacity <= whole.size() + 5; ++capacity) {
    std::vector<char> text(capacity + 8, '#');
    ASSERT_EQ(static_cast<int64_t>(whole.size()), td_error_message(text.data(), static_cast<int64_t>(capacity)));
    if (capacity > 0) {
      ASSERT_EQ(whole.substr(0, capacity - 1), text.data());
    }
    for (size_t i = std::min(capacity, whole.size() + 1); i < text.size(); ++i)
      ASSERT_EQ('#', text[i]) << "beyond a capacity of " << capacity;
  }
  EXPECT_EQ(static_cast<int64_t>(whole.size()), td_error_message(nullptr, 100));
  EXPECT_EQ(static_cast<int64_t>(whole.size()), td_error_message(nullptr, -1));
}

TEST(Messages, BelongToTheirThread) {
  EXPECT_TRUE(invalid(td_buffer_close(111), "111"));
  std::thread([] {
    EXPECT_EQ("", errorMessage());
    EXPECT_TRUE(invalid(td_buffer_close(222), "222"));
  }).join();
  EXPECT_NE(std::string::npos, errorMessage().find("111"));
  // A success leaves it: it is the last failure's.
  EXPECT_EQ(4, td_tensor_bytes(TD_F32, TD_PLAIN, 1, 1));
  EXPECT_NE(std::string::npos, errorMessage().find("111"));
}

TEST(Messages, OfAnyLengthAreKept) {
  const std::string path(5000, 'x');
  EXPECT_TRUE(refused(td_file_open(path.c_str()), TD_IO, "xxx"));
  EXPECT_TRUE(refused(td_device_open(path.c_str(), "", 1, 0), TD_UNSUPPORTED, "xxx"));
}

// ---- Devices ------------------------------------------------------------------------------------

TEST(Devices, Refusals) {
  EXPECT_TRUE(refused(td_device_open("gpu", "", 1, 0), TD_UNSUPPORTED, "device gpu"));
  EXPECT_TRUE(refused(td_device_open("", "", 1, 0), TD_UNSUPPORTED, "supported: cpu"));
  EXPECT_TRUE(refused(td_device_open("cpu", "sse9", 1, 0), TD_UNSUPPORTED, "instruction set sse9"));
  EXPECT_TRUE(invalid(td_device_open(nullptr, "", 1, 0), "device: no text"));
  EXPECT_TRUE(invalid(td_device_open("cpu", nullptr, 1, 0), "instruction set: no text"));
  EXPECT_TRUE(invalid(td_device_open("cpu", "", 0, 0), "threads: 0"));
  EXPECT_TRUE(invalid(td_device_open("cpu", "", -5, 0), "threads: -5"));
  EXPECT_TRUE(invalid(td_device_open("cpu", "", 1025, 0), "threads: 1025"));
  EXPECT_TRUE(invalid(td_device_open("cpu", "", 1, -1), "memory limit: -1"));
}

TEST(Devices, Properties) {
  const Device best(td_device_open("cpu", "", 3, 1000));
  EXPECT_EQ(3, td_device_property(best, TD_PROPERTY_THREADS));
  EXPECT_EQ(1000, td_device_property(best, TD_PROPERTY_MEMORY_LIMIT));
  // AMX is never chosen by itself.
  EXPECT_EQ(std::min(isas().back(), TD_ISA_AVX512), td_device_property(best, TD_PROPERTY_ISA));
  EXPECT_EQ(TD_MEMORY_HOST, td_device_property(best, TD_PROPERTY_MEMORY_KIND));
  EXPECT_TRUE(invalid(td_device_property(best, 6), "property 6"));
  EXPECT_TRUE(invalid(td_device_property(best, -1), "property -1"));
  for (const td_isa isa : isas()) {
    const Device device = openDevice(isa, 1);
    EXPECT_EQ(isa, td_device_property(device, TD_PROPERTY_ISA));
    EXPECT_EQ(TD_F32, td_activation_type(device, TD_F16));
    EXPECT_EQ(TD_ACT8, td_activation_type(device, TD_Q4_K));
    EXPECT_EQ(isa >= TD_ISA_AVX512 ? TD_ACTBF16 : TD_F32, td_activation_type(device, TD_BF16));
    EXPECT_TRUE(refused(td_activation_type(device, TD_I32), TD_UNSUPPORTED, "I32"));
    EXPECT_TRUE(refused(td_activation_type(device, 99), TD_UNSUPPORTED, "type 99"));
  }
}

TEST(Devices, LimitsAreMeasuredByEveryInstructionSet) {
  for (const td_isa isa : isas()) {
    const Device device = openDevice(isa, 2);
    for (const td_limit kind : {TD_LIMIT_F32, TD_LIMIT_INT8, TD_LIMIT_BF16}) {
      const bool there = kind == TD_LIMIT_F32 || isa >= TD_ISA_AVX512 || (kind == TD_LIMIT_INT8 && isa == TD_ISA_AVX2);
      if (there) {
        EXPECT_LT(1'000'000, ok(td_device_limit(device, kind, 1))) << isaName(isa) << " " << kind;
      } else {
        EXPECT_TRUE(refused(td_device_limit(device, kind, 1), TD_UNSUPPORTED, isaName(isa)));
      }
    }
    EXPECT_TRUE(refused(td_device_limit(device, TD_LIMIT_COPY, 1), TD_UNSUPPORTED, "limit 5"));
    EXPECT_TRUE(invalid(td_device_limit(device, 8, 1), "limit 8"));
    EXPECT_TRUE(invalid(td_device_limit(device, -1, 1), "limit -1"));
    EXPECT_TRUE(invalid(td_device_limit(device, TD_LIMIT_F32, 0), "0 milliseconds"));
    EXPECT_TRUE(invalid(td_device_limit(device, TD_LIMIT_F32, 10'001), "10001 milliseconds"));
  }
  EXPECT_TRUE(invalid(td_device_limit(12345, TD_LIMIT_F32, 1), "handle 12345"));
}

TEST(Devices, ReadingTakesMemoryMeanwhile) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer wants four times the memory";
#endif
  const int64_t needed = int64_t{512} << 20;
  const Device device(td_device_open("cpu", "", 2, needed)), small(td_device_open("cpu", "", 2, needed - 1));
  for (const td_limit kind : {TD_LIMIT_READ, TD_LIMIT_READ_SMALL_PAGES}) {
    EXPECT_LT(1'000'000, ok(td_device_limit(device, kind, 1)));
    EXPECT_EQ(needed, td_device_property(device, TD_PROPERTY_MEMORY_PEAK));
    EXPECT_EQ(0, td_device_property(device, TD_PROPERTY_MEMORY_USED));
    EXPECT_TRUE(refused(td_device_limit(small, kind, 1), TD_OUT_OF_MEMORY, "512"));
  }
}

TEST(Devices, WorkBytesGrowWithThreadsAndRefuseWhatCannotBe) {
  const Device one = openDevice(TD_ISA_SCALAR, 1), three = openDevice(TD_ISA_SCALAR, 3);
  EXPECT_EQ(0, td_work_bytes_of_matmul(three, TD_Q8_0, TD_TILES, 64));
  EXPECT_EQ(16 * 2 * 34, td_work_bytes_of_matmul(one, TD_Q8_0, TD_PLAIN, 64));
  EXPECT_EQ(2 * 8 * (128 + 16 * 32), td_work_bytes_of_matmul(one, TD_Q4_K, TD_TILES, 512));  // unpacked
  EXPECT_EQ(3 * 2 * 8 * (192 + 16 * 32), td_work_bytes_of_matmul(three, TD_Q6_K, TD_TILES, 512));
  EXPECT_EQ(3 * 16 * 2 * 34, td_work_bytes_of_matmul(three, TD_Q8_0, TD_PLAIN, 64));
  EXPECT_LT(td_work_bytes_of_attention(one, 8, 2, 64), td_work_bytes_of_attention(three, 8, 2, 64));
  EXPECT_LT(td_work_bytes_of_select(one, 1, 1000), td_work_bytes_of_select(one, 2, 1000));
  EXPECT_LT(td_work_bytes_of_pick(one, 1, 1000), td_work_bytes_of_pick(three, 1, 1000));
  EXPECT_LT(td_work_bytes_of_pick(one, 1, 1000), td_work_bytes_of_pick(one, 1, 100'000));
  EXPECT_TRUE(invalid(td_work_bytes_of_matmul(one, TD_Q8_0, TD_PLAIN, 65), "65 columns"));
  EXPECT_TRUE(invalid(td_work_bytes_of_matmul(one, TD_Q8_0, 7, 64), "layout 7"));
  EXPECT_TRUE(invalid(td_work_bytes_of_matmul(one, TD_F32, TD_PLAIN, 0), "[1, 0]"));
  EXPECT_TRUE(refused(td_work_bytes_of_matmul(one, TD_I32, TD_PLAIN, 64), TD_UNSUPPORTED, "I32"));
  EXPECT_TRUE(invalid(td_work_bytes_of_attention(one, 8, 3, 64), "8 heads of 64 elements for 3 KV heads"));
  EXPECT_TRUE(invalid(td_work_bytes_of_attention(one, 8, 0, 64), "0 KV heads"));
  EXPECT_TRUE(invalid(td_work_bytes_of_select(one, -1, 64), "[-1, 64]"));
  EXPECT_TRUE(invalid(td_work_bytes_of_select(one, 1, 0), "[1, 0]"));
  EXPECT_TRUE(invalid(td_work_bytes_of_pick(one, 1, 0), "[1, 0]"));
}

// ---- Memory -------------------------------------------------------------------------------------

TEST(MemoryLimit, IsHardAndCountsExactly) {
  const Device device = openDevice(TD_ISA_SCALAR, 1, 1000);
  BufferHandle first(td_buffer_create(device, 600));
  EXPECT_EQ(600, td_device_property(device, TD_PROPERTY_MEMORY_USED));
  EXPECT_TRUE(refused(td_buffer_create(device, 401), TD_OUT_OF_MEMORY,
                      "cpu: 401 bytes more would exceed its memory limit of 1000 bytes (600 bytes in use)"));
  EXPECT_TRUE(refused(td_buffer_create(device, INT64_MAX), TD_OUT_OF_MEMORY, ""));
  BufferHandle second(td_buffer_create(device, 400));
  EXPECT_EQ(1000, td_device_property(device, TD_PROPERTY_MEMORY_USED));
  EXPECT_TRUE(refused(td_buffer_create(device, 1), TD_OUT_OF_MEMORY, "1000 bytes in use"));
  ok(td_buffer_close(ok(td_buffer_create(device, 0))));
  first.close();
  EXPECT_EQ(400, td_device_property(device, TD_PROPERTY_MEMORY_USED));
  EXPECT_EQ(1000, td_device_property(device, TD_PROPERTY_MEMORY_PEAK)) << "what was refused does not count";
  EXPECT_EQ(1000, td_device_property(device, TD_PROPERTY_MEMORY_LIMIT));
}

TEST(MemoryLimit, WithoutOneTheSystemDecides) {
  const Device device = openDevice(TD_ISA_SCALAR, 1);
  const BufferHandle some(td_buffer_create(device, 4096));
  EXPECT_TRUE(refused(td_buffer_create(device, INT64_MAX), TD_OUT_OF_MEMORY, ""));
  EXPECT_TRUE(refused(td_buffer_create(device, int64_t{1} << 60), TD_OUT_OF_MEMORY, ""));
  EXPECT_TRUE(invalid(td_buffer_create(device, -1), "-1 bytes"));
  EXPECT_EQ(4096, td_device_property(device, TD_PROPERTY_MEMORY_USED));
  EXPECT_EQ(4096, td_device_property(device, TD_PROPERTY_MEMORY_PEAK));
}

// Requests that fail in one thread never make one of another fail that fits.
TEST(MemoryLimit, HoldsWithManyThreads) {
  const Device device = openDevice(TD_ISA_SCALAR, 1, 4000);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < rounds(500); ++i) {
        if (thread == 0) {
          EXPECT_TRUE(refused(td_buffer_create(device, 4001), TD_OUT_OF_MEMORY, ""));
        } else {
          ok(td_buffer_close(ok(td_buffer_create(device, 1333))));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, td_device_property(device, TD_PROPERTY_MEMORY_USED));
  EXPECT_LE(td_device_property(device, TD_PROPERTY_MEMORY_PEAK), 3999);
}

TEST(Buffers, AreZeroFilledAndReadAsWritten) {
  const Device device = openDevice(TD_ISA_SCALAR, 1);
  for (const int64_t bytes : {int64_t{1}, int64_t{4097}, (int64_t{2} << 20) - 1, (int64_t{2} << 20) + 5}) {
    const BufferHandle buffer(td_buffer_create(device, bytes));
    const auto* data = reinterpret_cast<const uint8_t*>(ok(td_buffer_address(buffer)));
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(data) % (bytes >= 2 << 20 ? 2 << 20 : 4096));
    EXPECT_EQ(bytes, std::count(data, data + bytes, 0));
    const uint8_t value = 7;
    uint8_t back = 0;
    EXPECT_EQ(0, td_buffer_write(buffer, bytes - 1, &value, 1));
    EXPECT_EQ(0, td_buffer_read(buffer, bytes - 1, &back, 1));
    EXPECT_EQ(7, back);
  }
}

TEST(Buffers, Ranges) {
  const Device device = openDevice(TD_ISA_SCALAR, 1);
  const BufferHandle buffer(td_buffer_create(device, 10));
  uint8_t bytes[16] = {};
  struct Range {
    int64_t offset, bytes;
  };
  for (const Range bad : {Range{0, 11}, Range{10, 1}, Range{-1, 1}, Range{1, -1}, Range{INT64_MAX, 1},
                          Range{1, INT64_MAX}, Range{INT64_MIN, 1}, Range{INT64_MAX, INT64_MAX}, Range{0, INT64_MIN}}) {
    SCOPED_TRACE(::testing::Message() << bad.bytes << " at " << bad.offset);
    EXPECT_TRUE(invalid(td_buffer_write(buffer, bad.offset, bytes, bad.bytes), "outside the buffer of 10 bytes"));
    EXPECT_TRUE(invalid(td_buffer_read(buffer, bad.offset, bytes, bad.bytes), std::to_string(bad.offset)));
  }
  EXPECT_EQ(0, td_buffer_write(buffer, 10, bytes, 0));
  EXPECT_EQ(0, td_buffer_read(buffer, 0, bytes, 10));
  EXPECT_TRUE(invalid(td_buffer_write(buffer, 0, nullptr, 1), "source: no memory"));
  EXPECT_TRUE(invalid(td_buffer_read(buffer, 0, nullptr, 1), "destination: no memory"));
  EXPECT_EQ(0, td_buffer_write(buffer, 0, nullptr, 0));
}

TEST(Buffers, LiveOnWhileAProgramUsesThem) {
  Device device = openDevice(isas().back(), 2, 1 << 20);
  Buffer<int32_t> count(device, std::vector<int32_t>{1});
  Buffer<float> x(device, std::vector<float>{1, 2, 3}), out(device, 3);
  Program program(td_program_create(device));
  ok(td_program_extent(program, tensorOf(program, count, 1)));
  const int32_t sum = tensorOf(program, out, 3);
  ok(td_op_add(program, tensorOf(program, x, 3), tensorOf(program, x, 3), sum));
  const Program other(td_program_create(device));
  count.close();
  x.close();
  ok(td_program_finish(program));
  const int64_t used = td_device_property(device, TD_PROPERTY_MEMORY_USED);
  EXPECT_EQ(4 + 12 + 12, used);
  const int64_t closed = device;
  device.close();
  EXPECT_EQ(0, td_program_run(program, 0)) << errorMessage();
  EXPECT_EQ(6, out[2]);
  EXPECT_TRUE(invalid(td_program_create(closed), "no open device"));
  ok(td_program_finish(other));
}

TEST(TensorBytes, PerTypeAndLayout) {
  EXPECT_EQ(3 * 5 * 4, td_tensor_bytes(TD_F32, TD_PLAIN, 3, 5));
  EXPECT_EQ(16 * 5 * 4, td_tensor_bytes(TD_F32, TD_TILES, 3, 5));
  EXPECT_EQ(3 * 5 * 2, td_tensor_bytes(TD_BF16, TD_PLAIN, 3, 5));
  EXPECT_EQ(32 * 6 * 2, td_tensor_bytes(TD_BF16, TD_TILES, 17, 5)) << "pairs of columns";
  EXPECT_EQ(3 * 2 * 34, td_tensor_bytes(TD_Q8_0, TD_PLAIN, 3, 64));
  EXPECT_EQ(16 * 144, td_tensor_bytes(TD_Q4_K, TD_TILES, 1, 256));
  EXPECT_EQ(210, td_tensor_bytes(TD_Q6_K, TD_PLAIN, 1, 256));
  EXPECT_EQ(2 * (2 * 48 + 64), td_tensor_bytes(TD_ACT8, TD_PLAIN, 2, 33));
  EXPECT_EQ(17 * 48 + 2 * 64, td_tensor_bytes(TD_ACT8, TD_PLAIN, 1, 17 * 32));
  EXPECT_EQ(2 * 6 * 2, td_tensor_bytes(TD_ACTBF16, TD_PLAIN, 2, 5));
  EXPECT_EQ(2 * 5 * 4, td_tensor_bytes(TD_I32, TD_PLAIN, 2, 5));
  EXPECT_EQ(2 * 5 * 8, td_tensor_bytes(TD_F64, TD_PLAIN, 2, 5));
  EXPECT_EQ(0, td_tensor_bytes(TD_F32, TD_TILES, 0, 5));
  EXPECT_TRUE(invalid(td_tensor_bytes(TD_Q8_0, TD_PLAIN, 1, 31), "31 columns"));
  EXPECT_TRUE(invalid(td_tensor_bytes(TD_F32, 7, 1, 1), "layout 7"));
  EXPECT_TRUE(invalid(td_tensor_bytes(TD_F32, TD_PLAIN, -1, 1), "[-1, 1]"));
  EXPECT_TRUE(invalid(td_tensor_bytes(TD_F64, TD_PLAIN, int64_t{1} << 31, int64_t{1} << 31), "not possible"));
  EXPECT_TRUE(refused(td_tensor_bytes(TD_ACT8, TD_TILES, 1, 32), TD_UNSUPPORTED, "ACT8"));
  EXPECT_TRUE(refused(td_tensor_bytes(99, TD_PLAIN, 1, 32), TD_UNSUPPORTED, "type 99"));
}

// ---- Handles ------------------------------------------------------------------------------------

struct Counted final : Object {
  explicit Counted(int* alive) : alive(alive) { ++*alive; }
  ~Counted() override { --*alive; }
  int* alive;
};

TEST(HandleTable, AClosedHandleNeverNamesALaterObject) {
  Handles handles;
  int alive = 0;
  std::vector<int64_t> closed;
  for (int i = 0; i < 1000; ++i) {
    const int64_t handle = handles.add(std::make_shared<Counted>(&alive));
    for (const int64_t old : closed) ASSERT_NE(old, handle);
    handles.close<Counted>(handle, "object");
    ASSERT_THROW(handles.get<Counted>(handle, "object"), Failure);
    ASSERT_THROW(handles.close<Counted>(handle, "object"), Failure);
    closed.push_back(handle);
  }
  EXPECT_EQ(0, alive);
}

// Each function with a handle, and the word for what it wants.
struct Call {
  const char* name;
  const char* what;
  std::function<int64_t(int64_t)> call;
};

class EveryHandle : public ::testing::Test {
 protected:
  std::vector<Call> calls() {
    uint8_t bytes[8] = {};
    return {
        {"device_close", "device", [](int64_t h) { return td_device_close(h); }},
        {"device_property", "device", [](int64_t h) { return td_device_property(h, 0); }},
        {"activation_type", "device", [](int64_t h) { return td_activation_type(h, TD_F32); }},
        {"work_bytes_of_matmul", "device", [](int64_t h) { return td_work_bytes_of_matmul(h, TD_F32, TD_PLAIN, 32); }},
        {"work_bytes_of_attention", "device", [](int64_t h) { return td_work_bytes_of_attention(h, 2, 1, 64); }},
        {"work_bytes_of_select", "device", [](int64_t h) { return td_work_bytes_of_select(h, 1, 32); }},
        {"work_bytes_of_pick", "device", [](int64_t h) { return td_work_bytes_of_pick(h, 1, 32); }},
        {"file_close", "file", [](int64_t h) { return td_file_close(h); }},
        {"file_size", "file", [](int64_t h) { return td_file_size(h); }},
        {"buffer_create", "device", [](int64_t h) { return td_buffer_create(h, 1); }},
        {"buffer_of_file 1", "device", [](int64_t h) { return td_buffer_of_file(h, h, 0, 1); }},
        {"buffer_of_file 2", "file", [&](int64_t h) { return td_buffer_of_file(device_, h, 0, 1); }},
        {"buffer_close", "buffer", [](int64_t h) { return td_buffer_close(h); }},
        {"buffer_address", "buffer", [](int64_t h) { return td_buffer_address(h); }},
        {"buffer_write", "buffer", [bytes](int64_t h) { return td_buffer_write(h, 0, bytes, 1); }},
        {"buffer_read", "buffer", [bytes](int64_t h) mutable { return td_buffer_read(h, 0, bytes, 1); }},
        {"tensor_load 1", "file", [](int64_t h) { return td_tensor_load(h, 0, TD_F32, 1, 1, h, 0, TD_F32, TD_PLAIN); }},
        {"tensor_load 2", "buffer",
         [&](int64_t h) { return td_tensor_load(file_, 0, TD_F32, 1, 1, h, 0, TD_F32, TD_PLAIN); }},
        {"flag_close", "flag", [](int64_t h) { return td_flag_close(h); }},
        {"flag_set", "flag", [](int64_t h) { return td_flag_set(h); }},
        {"flag_clear", "flag", [](int64_t h) { return td_flag_clear(h); }},
        {"program_create", "device", [](int64_t h) { return td_program_create(h); }},
        {"program_close", "program", [](int64_t h) { return td_program_close(h); }},
        {"program_tensor 1", "program", [](int64_t h) { return td_program_tensor(h, h, 0, TD_F32, TD_PLAIN, 1, 1); }},
        {"program_tensor 2", "buffer",
         [&](int64_t h) { return td_program_tensor(program_, h, 0, TD_F32, TD_PLAIN, 1, 1); }},
        {"program_event", "program", [](int64_t h) { return td_program_event(h); }},
        {"program_stream", "program", [](int64_t h) { return td_program_stream(h, 0); }},
        {"program_on", "program", [](int64_t h) { return td_program_on(h, 0); }},
        {"program_extent", "program", [](int64_t h) { return td_program_extent(h, 0); }},
        {"program_pace", "program", [](int64_t h) { return td_program_pace(h, 0); }},
        {"op_signal", "program", [](int64_t h) { return td_op_signal(h, 0); }},
        {"op_wait", "program", [](int64_t h) { return td_op_wait(h, 0); }},
        {"op_embedding", "program", [](int64_t h) { return td_op_embedding(h, 0, 0, 0); }},
        {"op_rms_norm", "program", [](int64_t h) { return td_op_rms_norm(h, 0, 0, 0, 0); }},
        {"op_encode", "program", [](int64_t h) { return td_op_encode(h, 0, 0); }},
        {"op_matmul", "program", [](int64_t h) { return td_op_matmul(h, 0, 0, 0, 0); }},
        {"op_rope_angles", "program", [](int64_t h) { return td_op_rope_angles(h, 0, 0, 0); }},
        {"op_rope", "program", [](int64_t h) { return td_op_rope(h, 0, 0, 1, 0); }},
        {"op_store_kv", "program", [](int64_t h) { return td_op_store_kv(h, 0, 0, 0, 0, 0, 0, 0, 1); }},
        {"op_attention", "program", [](int64_t h) { return td_op_attention(h, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1); }},
        {"op_gated", "program", [](int64_t h) { return td_op_gated(h, 0, 0, 0, 0); }},
        {"op_add", "program", [](int64_t h) { return td_op_add(h, 0, 0, 0); }},
        {"op_gather", "program", [](int64_t h) { return td_op_gather(h, 0, 0, 0); }},
        {"op_copy", "program", [](int64_t h) { return td_op_copy(h, 0, 0); }},
        {"op_adjust", "program", [](int64_t h) { return td_op_adjust(h, 0, 0, 0, 0, 0); }},
        {"op_select", "program", [](int64_t h) { return td_op_select(h, 0, 0, 0, 0); }},
        {"op_pick", "program", [](int64_t h) { return td_op_pick(h, 0, 0, 0, 0, 0, 0, 0); }},
        {"program_finish", "program", [](int64_t h) { return td_program_finish(h); }},
        {"program_run 1", "program", [](int64_t h) { return td_program_run(h, 0); }},
        {"program_run 2", "flag", [&](int64_t h) { return h == 0 ? td_flag_set(0) : td_program_run(program_, h); }},
    };
  }

  // Opened once: an object of each kind, to be confused with the others.
  Device device_ = openDevice(TD_ISA_SCALAR, 1);
  BufferHandle buffer_{td_buffer_create(device_, 8)};
  FileHandle file_{td_file_open("/proc/self/exe")};
  Flag flag_{td_flag_create()};
  Program program_{td_program_create(device_)};
};

TEST_F(EveryHandle, ThatIsNoneIsRefused) {
  for (const Call& call : calls()) {
    SCOPED_TRACE(call.name);
    for (const int64_t handle :
         {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{0x7fffffff}, INT64_MAX, INT64_MIN, int64_t{1} << 40}) {
      EXPECT_TRUE(invalid(call.call(handle), "handle " + std::to_string(handle) + " is no open " + call.what));
    }
  }
}

TEST_F(EveryHandle, OfAnotherKindIsRefused) {
  const std::pair<const char*, int64_t> all[] = {
      {"device", device_}, {"buffer", buffer_}, {"file", file_}, {"flag", flag_}, {"program", program_}};
  for (const Call& call : calls()) {
    SCOPED_TRACE(call.name);
    for (const auto& [kind, handle] : all) {
      if (std::string(kind) == call.what) continue;
      // Where both a device and something else are wanted, the same handle stands for both: the first is refused.
      EXPECT_TRUE(invalid(call.call(handle), "handle " + std::to_string(handle) + " is no open " + call.what)) << kind;
    }
  }
}

TEST_F(EveryHandle, ThatIsClosedIsRefused) {
  for (const Call& call : calls()) {
    SCOPED_TRACE(call.name);
    // A stale one whose place somebody else has by now.
    int64_t stale = 0;
    if (std::string_view(call.what) == "device") stale = td_device_open("cpu", "scalar", 1, 0);
    if (std::string_view(call.what) == "buffer") stale = td_buffer_create(device_, 8);
    if (std::string_view(call.what) == "file") stale = td_file_open("/proc/self/exe");
    if (std::string_view(call.what) == "flag") stale = td_flag_create();
    if (std::string_view(call.what) == "program") stale = td_program_create(device_);
    ASSERT_GT(stale, 0);
    for (const auto& close : {td_device_close, td_buffer_close, td_file_close, td_flag_close, td_program_close})
      close(stale);
    const Flag successor(td_flag_create());
    EXPECT_EQ(stale & 0x7fffffff, successor & 0x7fffffff) << "not the same place: the test tests nothing";
    EXPECT_TRUE(invalid(call.call(stale), "handle " + std::to_string(stale)));
  }
}

TEST(HandleTable, OpenedAndClosedFromManyThreads) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([] {
      for (int i = 0; i < rounds(2000); ++i) {
        const int64_t flag = ok(td_flag_create());
        ok(td_flag_set(flag));
        ok(td_flag_close(flag));
        EXPECT_LT(td_flag_set(flag), 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace td::testing
