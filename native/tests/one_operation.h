// A program of one operation, or a few, as a test writes it: its tensors lie in the device's own memory, between
// guards, and hold all ones (NaN, -1) wherever the test has written nothing.
#pragma once

#include <algorithm>
#include <map>
#include <span>

#include "c_interface.h"

namespace td::testing {

class OneOperation {
 public:
  // rows: the extent. Where tensors of floats begin is random: anywhere for the CPU's kernels; those for GPUs read and
  // write up to sixteen bytes at once.
  OneOperation(int64_t device, Random& random, int64_t rows)
      : device_(device),
        random_(random),
        count_(device, std::vector<int32_t>{static_cast<int32_t>(rows)}),
        program_(td_program_create(device)) {
    ok(td_program_extent(program_, tensorOf(program_, count_, 1)));
  }

  operator int64_t() const { return program_; }

  // A tensor that the operation reads, with room for `spare` rows that nobody may look at.
  template <class T>
  int32_t input(const std::vector<T>& values, int64_t columns, int64_t spare = 0) {
    const auto rows = static_cast<int64_t>(values.size()) / columns;
    return add(typeOf<T>(), TD_PLAIN, rows + spare, columns, bytesOf(values), false);
  }
  int32_t input(int32_t type, td_layout layout, int64_t rows, int64_t columns, const std::vector<uint8_t>& bytes) {
    return add(type, layout, rows, columns, bytes, false);
  }
  // One that it writes: with values in it, or empty.
  template <class T>
  int32_t inPlace(const std::vector<T>& values, int64_t columns, int64_t spare = 0) {
    const auto rows = static_cast<int64_t>(values.size()) / columns;
    return add(typeOf<T>(), TD_PLAIN, rows + spare, columns, bytesOf(values), true);
  }
  int32_t output(int32_t type, int64_t rows, int64_t columns) { return add(type, TD_PLAIN, rows, columns, {}, true); }
  // ... in memory that the host reaches, for what it looks at.
  int32_t sharedOutput(int32_t type, int64_t rows, int64_t columns) {
    return add(type, TD_PLAIN, rows, columns, {}, true, true);
  }

  // Runs it; whatever it returns, guards and inputs are whole.
  int32_t run() {
    if (!finished_) ok(td_program_finish(program_));
    finished_ = true;
    const int32_t result = td_program_run(program_, 0);
    if (result == -TD_DEVICE_LOST) return result;
    for (auto& [tensor, memory] : memories_) {
      const std::vector<uint8_t> before = memory.bytes;
      EXPECT_EQ(0, td_buffer_read(memory.buffer, 0, memory.bytes.data(), static_cast<int64_t>(memory.bytes.size())));
      const auto same = [&](int64_t from, int64_t to) {
        return memcmp(&before[static_cast<size_t>(from)], &memory.bytes[static_cast<size_t>(from)],
                      static_cast<size_t>(to - from)) == 0;
      };
      const auto end = static_cast<int64_t>(before.size());
      EXPECT_TRUE(same(0, memory.first)) << "before tensor " << tensor;
      EXPECT_TRUE(same(memory.first + memory.size, end)) << "behind tensor " << tensor;
      if (!memory.writable) {
        EXPECT_TRUE(same(memory.first, memory.first + memory.size)) << "tensor " << tensor << ", an input";
      }
    }
    return result;
  }

  // What a tensor held after the last run.
  template <class T>
  std::vector<T> all(int32_t tensor) const {
    const Memory& memory = memories_.at(tensor);
    std::vector<T> values(static_cast<size_t>(memory.size) / sizeof(T));
    if (!values.empty()) {
      memcpy(values.data(), &memory.bytes[static_cast<size_t>(memory.first)], values.size() * sizeof(T));
    }
    return values;
  }
  // Its first rows; nothing has been written behind them.
  template <class T>
  std::vector<T> rows(int32_t tensor, int64_t elements) const {
    std::vector<T> values = all<T>(tensor);
    const auto bytes = std::as_bytes(std::span(values).subspan(static_cast<size_t>(elements)));
    for (const std::byte byte : bytes) {
      if (byte != std::byte{0xff}) {
        ADD_FAILURE() << "tensor " << tensor << ": wrote behind row " << count_[0];
        break;
      }
    }
    values.resize(static_cast<size_t>(elements));
    return values;
  }

 private:
  static constexpr int64_t kGuard = 64;

  struct Memory {
    BufferHandle buffer;
    int64_t first, size;  // of the tensor, in bytes
    bool writable;
    std::vector<uint8_t> bytes;  // all of the buffer
  };

  template <class T>
  static std::vector<uint8_t> bytesOf(const std::vector<T>& values) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
    std::vector<uint8_t> copy(bytes.size());
    std::transform(bytes.begin(), bytes.end(), copy.begin(), [](std::byte byte) { return static_cast<uint8_t>(byte); });
    return copy;
  }

  int32_t add(int32_t type, td_layout layout, int64_t rows, int64_t columns, const std::vector<uint8_t>& values,
              bool writable, bool shared = false) {
    const int64_t size = ok(td_tensor_bytes(type, layout, rows, columns));
    const int64_t first = kGuard + (type == TD_F32 ? (takesPlainWeights() ? 4 : 16) * random_.between(0, 3) : 0);
    std::vector<uint8_t> bytes(static_cast<size_t>(first + size + kGuard), 0xa5);
    std::fill_n(bytes.begin() + first, size, uint8_t{0xff});
    std::copy(values.begin(), values.end(), bytes.begin() + first);
    const auto length = static_cast<int64_t>(bytes.size());
    // Token numbers, positions and the like are what the host writes for every step.
    if (type == TD_I32 && !writable) shared = true;
    BufferHandle buffer(shared ? td_buffer_create_shared(device_, length) : td_buffer_create(device_, length));
    EXPECT_EQ(0, td_buffer_write(buffer, 0, bytes.data(), length)) << errorMessage();
    const int32_t tensor = ok(td_program_tensor(program_, buffer, first, type, layout, rows, columns));
    memories_.insert({tensor, Memory{std::move(buffer), first, size, writable, std::move(bytes)}});
    return tensor;
  }

  const int64_t device_;
  Random& random_;
  const Buffer<int32_t> count_;
  std::map<int32_t, Memory> memories_;
  const Program program_;
  bool finished_ = false;
};

}  // namespace td::testing
