// Weights from files: loaded in every format and layout, or mapped; files that are too short, and files that shrink.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "c_interface.h"
#include "temporary_file.h"
#include "weights.h"

namespace td::testing {
namespace {

TEST(Files, Refusals) {
  EXPECT_TRUE(refused(td_file_open("/nowhere/model.gguf"), TD_IO, "/nowhere/model.gguf: cannot be opened"));
  EXPECT_TRUE(refused(td_file_open("/"), TD_IO, "/: is no regular file"));
  EXPECT_TRUE(refused(td_file_open("/dev/zero"), TD_IO, "no regular file"));
  EXPECT_TRUE(refused(td_file_open(nullptr), TD_INVALID_ARGUMENT, "file: no text"));
  const std::string pipe = ::testing::TempDir() + "tandem-pipe-" + std::to_string(getpid());
  ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
  EXPECT_TRUE(refused(td_file_open(pipe.c_str()), TD_IO, "no regular file")) << "and does not wait for a writer";
  unlink(pipe.c_str());
  const TemporaryFile file(std::vector<uint8_t>(100, 1));
  EXPECT_EQ(100, td_file_size(FileHandle(td_file_open(file.path()))));
}

// ---- Loading ------------------------------------------------------------------------------------

class Load : public ::testing::TestWithParam<td_type> {};

// Rows of f16 as rows of bf16, each element converted by itself.
std::vector<uint8_t> asBf16(const std::vector<uint8_t>& halves) {
  std::vector<uint8_t> converted(halves.size());
  for (size_t i = 0; i < halves.size(); i += 2) {
    uint16_t value;
    memcpy(&value, halves.data() + i, sizeof value);
    value = floatToBf16(halfToFloat(value));
    memcpy(converted.data() + i, &value, sizeof value);
  }
  return converted;
}

// Loads a matrix that lies somewhere in a file to somewhere in a buffer, in one of the ways.
void checkLoad(Random& random, td_type type, int64_t rows, int64_t columns) {
  const WeightMatrix matrix(random, type, rows, columns);
  const int64_t offset = random.between(0, 100), margin = 64 * random.between(0, 4);
  std::vector<uint8_t> content(static_cast<size_t>(offset), 0xaa);
  content.insert(content.end(), matrix.plain.begin(), matrix.plain.end());
  const TemporaryFile file(content);
  const FileHandle handle(td_file_open(file.path()));
  const Device device = openDevice(TD_ISA_SCALAR, 1);
  struct Way {
    int32_t target;
    td_layout layout;
  };
  std::vector<Way> ways = {{type, TD_PLAIN}, {type, TD_TILES}, {TD_F32, TD_PLAIN}};
  if (type == TD_F16) ways.push_back({TD_BF16, TD_TILES});
  for (const Way way : ways) {
    SCOPED_TRACE(::testing::Message() << "as " << typeName(way.target) << " in layout " << way.layout);
    std::vector<uint8_t> expected;
    if (way.target == type) {
      expected = way.layout == TD_TILES ? matrix.tiles() : matrix.plain;
    } else if (way.target == TD_BF16) {
      WeightMatrix converted = matrix;
      converted.type = TD_BF16;
      converted.plain = asBf16(matrix.plain);
      expected = converted.tiles();
    } else {
      expected.resize(static_cast<size_t>(rows * columns) * sizeof(float));
      for (int64_t row = 0; row < rows; ++row) {
        decodeRow(matrix.format(), TD_PLAIN, matrix.plain.data(), columns, row,
                  reinterpret_cast<float*>(expected.data()) + row * columns);
      }
    }
    const int64_t bytes = ok(td_tensor_bytes(way.target, way.layout, rows, columns));
    ASSERT_EQ(static_cast<int64_t>(expected.size()), bytes);
    const Buffer<uint8_t> buffer(device, bytes + 2 * margin);
    buffer.fill(0xee);
    ASSERT_EQ(0, td_tensor_load(handle, offset, type, rows, columns, buffer.handle(), margin, way.target, way.layout))
        << errorMessage();
    ASSERT_EQ(0, memcmp(expected.data(), buffer.data() + margin, expected.size()));
    for (int64_t i = 0; i < margin; ++i) {
      ASSERT_EQ(0xee, buffer[i]);
      ASSERT_EQ(0xee, buffer[margin + bytes + i]);
    }
    // One byte less in the file, or in the buffer, is too few; and nothing was written then.
    buffer.fill(0xee);
    EXPECT_TRUE(refused(
        td_tensor_load(handle, offset + 1, type, rows, columns, buffer.handle(), margin, way.target, way.layout),
        TD_INVALID_ARGUMENT, file.path()));
    EXPECT_TRUE(refused(
        td_tensor_load(handle, offset, type, rows, columns, buffer.handle(), 2 * margin + 1, way.target, way.layout),
        TD_INVALID_ARGUMENT, "outside the buffer"));
    ASSERT_EQ(buffer.size(), std::count(buffer.data(), buffer.data() + buffer.size(), 0xee));
  }
}

TEST_P(Load, InEveryLayoutAndAsFloats) {
  for (int round = 0; round < rounds(12); ++round) {
    Random random("load " + typeName(GetParam()), static_cast<uint64_t>(round));
    const int block = formatOf(GetParam()).blockElements;
    const int64_t rows = random.between(1, 70),
                  columns = block > 2 ? block * random.between(1, 6) : random.between(1, 300);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "[" << rows << ", " << columns << "]");
    checkLoad(random, GetParam(), rows, columns);
    if (HasFatalFailure()) return;
  }
}

// Several pieces of a quarter of a megabyte, the last one short.
TEST_P(Load, InManyPieces) {
  Random random("many pieces");
  const int64_t columns = 1024, rowBytes = plainRowBytes(formatOf(GetParam()), columns);
  checkLoad(random, GetParam(), (int64_t{5} << 17) / rowBytes + 21, columns);
}

// Parts of a matrix, cut at row groups, by several threads at the same time.
TEST_P(Load, InPartsByManyThreads) {
  Random random("parts " + typeName(GetParam()));
  const int64_t columns = 512, rows = 16 * 37 + 5, partRows = 48;
  const WeightMatrix matrix(random, GetParam(), rows, columns);
  const TemporaryFile file(matrix.plain);
  const FileHandle handle(td_file_open(file.path()));
  const Device device = openDevice(TD_ISA_SCALAR, 1);
  const Buffer<uint8_t> buffer(device, ok(td_tensor_bytes(GetParam(), TD_TILES, rows, columns)));
  std::atomic<int64_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int64_t first = partRows * next++; first < rows; first = partRows * next++) {
        ok(td_tensor_load(handle, ok(td_tensor_bytes(GetParam(), TD_PLAIN, first, columns)), GetParam(),
                          std::min(partRows, rows - first), columns, buffer.handle(),
                          ok(td_tensor_bytes(GetParam(), TD_TILES, first, columns)), GetParam(), TD_TILES));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(matrix.tiles(), std::vector<uint8_t>(buffer.all().begin(), buffer.all().end()));
}

INSTANTIATE_TEST_SUITE_P(Format, Load, ::testing::ValuesIn(kWeightTypes),
                         [](const auto& info) { return typeName(info.param); });

TEST(LoadRefusals, ShapesTypesAndRanges) {
  const TemporaryFile file(std::vector<uint8_t>(4096, 0));
  const FileHandle handle(td_file_open(file.path()));
  const Device device = openDevice(TD_ISA_SCALAR, 2);
  const BufferHandle buffer(td_buffer_create(device, 1 << 16));
  const auto load = [&](int64_t offset, int32_t type, int64_t rows, int64_t columns, int32_t target, int32_t layout) {
    return td_tensor_load(handle, offset, type, rows, columns, buffer, 0, target, layout);
  };
  EXPECT_EQ(0, load(0, TD_F32, 0, 8, TD_F32, TD_PLAIN)) << "no rows: " << errorMessage();
  EXPECT_TRUE(refused(load(0, TD_I32, 1, 8, TD_I32, TD_PLAIN), TD_UNSUPPORTED, "I32"));
  EXPECT_TRUE(refused(load(0, TD_F16, 1, 8, TD_BF16, TD_PLAIN), TD_INVALID_ARGUMENT, "F16 cannot be loaded as BF16"));
  EXPECT_TRUE(
      refused(load(0, TD_F16, 1, 8, TD_F32, TD_TILES), TD_INVALID_ARGUMENT, "F16 cannot be loaded as F32 in layout 1"));
  EXPECT_EQ(0, load(0, TD_F16, 1, 8, TD_BF16, TD_TILES)) << errorMessage();
  for (const int32_t type : {TD_F32, TD_Q8_0, TD_Q4_0, TD_Q4_1, TD_Q4_K, TD_Q6_K}) {
    EXPECT_TRUE(refused(load(0, type, 1, 256, TD_BF16, TD_TILES), TD_INVALID_ARGUMENT, "cannot be loaded as BF16"));
  }
  EXPECT_TRUE(refused(load(0, TD_Q8_0, 1, 8, TD_Q8_0, TD_PLAIN), TD_INVALID_ARGUMENT, "8 columns"));
  EXPECT_TRUE(refused(load(0, TD_F32, -1, 8, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT, "[-1, 8]"));
  EXPECT_TRUE(refused(load(0, TD_F32, 1, 8, TD_F32, 3), TD_INVALID_ARGUMENT, "layout 3"));
  EXPECT_TRUE(refused(load(-1, TD_F32, 1, 8, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT, "offset -1"));
  EXPECT_TRUE(
      refused(load(INT64_MAX, TD_F32, 1, 8, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT, "offset 9223372036854775807"));
  EXPECT_TRUE(refused(load(0, TD_F32, int64_t{1} << 31, int64_t{1} << 31, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT,
                      "not possible"));
  EXPECT_TRUE(refused(load(4096 - 31, TD_F32, 1, 8, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT, "outside its 4096 bytes"));
}

TEST(LoadRefusals, AFileThatBecameShorter) {
  const int64_t rows = 3000, columns = 256;
  const TemporaryFile file(std::vector<uint8_t>(static_cast<size_t>(rows * columns * 4), 1));
  const FileHandle handle(td_file_open(file.path()));
  const Device device = openDevice(TD_ISA_SCALAR, 3);
  const BufferHandle buffer(td_buffer_create(device, rows * columns * 4 + 65536));
  file.resize(rows * columns * 4 - 1);
  for (const td_layout layout : {TD_PLAIN, TD_TILES}) {
    EXPECT_TRUE(refused(td_tensor_load(handle, 0, TD_F32, rows, columns, buffer, 0, TD_F32, layout), TD_FILE_CHANGED,
                        file.path()));
  }
  EXPECT_EQ(0, td_tensor_load(handle, 0, TD_F32, rows - 1, columns, buffer, 0, TD_F32, TD_TILES)) << errorMessage();
}

// ---- Mapping ------------------------------------------------------------------------------------

// A matrix of F32 in a file, mapped, and a program that multiplies with it.
class Mapped : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 640, kColumns = 1024, kOffset = 32;  // 640 pages

  Mapped() : Mapped(std::vector<float>(kRows * kColumns, 1.0f)) {}
  explicit Mapped(const std::vector<float>& weights)
      : device_(openDevice(isas().back(), 3)),
        file_(content(weights)),
        handle_(td_file_open(file_.path())),
        window_(td_buffer_of_file(device_, handle_, 0, td_file_size(handle_))),
        count_(device_, std::vector<int32_t>{1}),
        x_(device_, std::vector<float>(kColumns, 2.0f)),
        out_(device_, kRows),
        program_(td_program_create(device_)) {
    ok(td_program_extent(program_, tensorOf(program_, count_, 1)));
    ok(td_op_matmul(program_, ok(td_program_tensor(program_, window_, kOffset, TD_F32, TD_PLAIN, kRows, kColumns)),
                    tensorOf(program_, x_, kColumns), -1, tensorOf(program_, out_, kRows)));
    ok(td_program_finish(program_));
  }

  static std::vector<uint8_t> content(const std::vector<float>& weights) {
    std::vector<uint8_t> bytes(kOffset + weights.size() * sizeof(float));
    memcpy(bytes.data() + kOffset, weights.data(), weights.size() * sizeof(float));
    return bytes;
  }
  int64_t run() { return td_program_run(program_, 0); }
  void expectGood() {
    ASSERT_EQ(0, run()) << errorMessage();
    for (const float value : out_.all()) ASSERT_EQ(2.0f * kColumns, value);
  }

  Device device_;
  TemporaryFile file_;
  FileHandle handle_;
  BufferHandle window_;
  Buffer<int32_t> count_;
  Buffer<float> x_, out_;
  Program program_;
};

TEST_F(Mapped, ComputesLikeMemoryAndTakesNone) {
  const int64_t used = td_device_property(device_, TD_PROPERTY_MEMORY_USED);
  expectGood();
  EXPECT_EQ((1 + kColumns + kRows) * 4 + td_work_bytes_of_matmul(device_, TD_F32, TD_PLAIN, kColumns), used);
  // The program keeps file and window alive.
  window_.close();
  handle_.close();
  expectGood();
}

TEST_F(Mapped, CannotBeWritten) {
  const float value = 0;
  EXPECT_TRUE(refused(td_buffer_write(window_, 0, &value, 4), TD_INVALID_ARGUMENT, "lies in a file"));
  EXPECT_TRUE(refused(td_buffer_publish(window_, 0, 1), TD_INVALID_ARGUMENT, "lies in a file"));
  EXPECT_TRUE(refused(td_tensor_load(handle_, 0, TD_F32, 1, 1, window_, 0, TD_F32, TD_PLAIN), TD_INVALID_ARGUMENT,
                      "lies in a file"));
  const Program program(td_program_create(device_));
  const auto inFile = [&](int32_t type, int64_t rows, int64_t columns) {
    return ok(td_program_tensor(program, window_, kOffset, type, TD_PLAIN, rows, columns));
  };
  const int32_t x = inFile(TD_F32, 4, 32), i = inFile(TD_I32, 4, 1), two = inFile(TD_I32, 4, 2),
                pool = inFile(TD_F16, 4, 2048);
  const Buffer<float> memory(device_, 4 * 32);
  const int32_t out = tensorOf(program, memory, 32);
  ok(td_program_extent(program, inFile(TD_I32, 1, 1)));
  const auto expectRefusal = [](int64_t result) { EXPECT_TRUE(refused(result, TD_INVALID_ARGUMENT, "written")); };
  expectRefusal(td_op_embedding(program, x, i, x));
  expectRefusal(td_op_rms_norm(program, out, inFile(TD_F32, 1, 32), x, 0));
  expectRefusal(td_op_encode(program, x, inFile(TD_ACT8, 4, 32)));
  expectRefusal(td_op_encode(program, x, inFile(TD_ACTBF16, 4, 32)));
  expectRefusal(td_op_matmul(program, inFile(TD_F32, 32, 32), x, -1, x));
  expectRefusal(td_op_rope_angles(program, i, inFile(TD_F64, 1, 16), x));
  expectRefusal(td_op_rope(program, x, out, 32, 0));
  expectRefusal(td_op_store_kv(program, x, x, i, i, i, pool, 0, 32));
  expectRefusal(td_op_attention(program, out, i, i, i, pool, x, 0, 32, 1, 1));
  expectRefusal(td_op_gated(program, out, out, x, 0));
  expectRefusal(td_op_add(program, out, out, x));
  expectRefusal(td_op_gather(program, out, i, x));
  expectRefusal(td_op_copy(program, out, x));
  expectRefusal(td_op_adjust(program, x, i, two, inFile(TD_F32, 4, 2), inFile(TD_F32, 4, 2)));
  const int32_t one = inFile(TD_F32, 4, 1), settings = inFile(TD_F64, 4, TD_PICK_SETTINGS);
  expectRefusal(td_op_pick(program, out, one, one, i, settings, i, one));
  expectRefusal(td_op_select(program, out, two, inFile(TD_F32, 4, 2), inFile(TD_F32, 4, 1)));
}

TEST_F(Mapped, WindowsStayInTheirFile) {
  const int64_t size = td_file_size(handle_);
  struct Range {
    int64_t offset, bytes;
  };
  for (const Range bad :
       {Range{0, size + 1}, Range{size, 1}, Range{-1, 1}, Range{0, -1}, Range{INT64_MAX, 1}, Range{1, INT64_MAX}}) {
    EXPECT_TRUE(refused(td_buffer_of_file(device_, handle_, bad.offset, bad.bytes), TD_INVALID_ARGUMENT, file_.path()));
  }
  ok(td_buffer_close(ok(td_buffer_of_file(device_, handle_, size, 0))));
  const TemporaryFile empty;
  const FileHandle emptyFile(td_file_open(empty.path()));
  ok(td_buffer_close(ok(td_buffer_of_file(device_, emptyFile, 0, 0))));
}

TEST_F(Mapped, AFileThatShrinksFailsThisRunAndEveryLaterOne) {
  expectGood();
  file_.resize(kOffset + 100 * 4096);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(refused(run(), TD_FILE_CHANGED, std::string(file_.path()) + ": changed on disk while it was in use"))
        << "run " << i;
  }
  // Even when it is whole again: its pages are not.
  file_.write(content(std::vector<float>(kRows * kColumns, 1.0f)));
  EXPECT_TRUE(refused(run(), TD_FILE_CHANGED, file_.path()));
  float value = 0;
  EXPECT_TRUE(refused(td_buffer_read(window_, kOffset, &value, 4), TD_FILE_CHANGED, file_.path()));
  // Opened anew it works, and so do programs that do not use the old one.
  const FileHandle again(td_file_open(file_.path()));
  const BufferHandle window(td_buffer_of_file(device_, again, 0, td_file_size(again)));
  EXPECT_EQ(0, td_buffer_read(window, kOffset, &value, 4)) << errorMessage();
  EXPECT_EQ(1, value);
}

// The last page is still there, and what was cut off reads as zeros: no fault tells.
TEST_F(Mapped, AFileThatShrinksWithinItsLastPage) {
  expectGood();
  file_.resize(td_file_size(handle_) - 4);
  EXPECT_TRUE(refused(run(), TD_FILE_CHANGED, file_.path()));
  file_.write(content(std::vector<float>(kRows * kColumns, 1.0f)));
  EXPECT_TRUE(refused(run(), TD_FILE_CHANGED, file_.path())) << "once changed, always changed";
}

TEST_F(Mapped, AFileThatGrowsIsTheSame) {
  file_.resize(td_file_size(handle_) + 10'000);
  expectGood();
}

TEST_F(Mapped, ReadingAHoleFails) {
  file_.resize(4096);
  std::vector<float> values(kColumns);
  EXPECT_TRUE(refused(td_buffer_read(window_, 100 * 4096, values.data(), 4096), TD_FILE_CHANGED, file_.path()));
}

TEST_F(Mapped, AFileThatShrinksWhileProgramsRun) {
  std::vector<std::thread> runners;
  for (int i = 0; i < 3; ++i) {
    runners.emplace_back([&] {
      int64_t result = 0;
      while (result == 0) result = run();
      EXPECT_TRUE(refused(result, TD_FILE_CHANGED, file_.path()));
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  file_.resize(0);
  for (std::thread& runner : runners) runner.join();
}

TEST_F(Mapped, OtherFilesAreNotConcerned) {
  const TemporaryFile other(std::vector<uint8_t>(1 << 20, 3));
  const FileHandle handle(td_file_open(other.path()));
  const BufferHandle window(td_buffer_of_file(device_, handle, 0, 1 << 20));
  other.resize(0);
  uint8_t byte = 0;
  EXPECT_TRUE(refused(td_buffer_read(window, 5000, &byte, 1), TD_FILE_CHANGED, other.path()));
  expectGood();
}

}  // namespace
}  // namespace td::testing
