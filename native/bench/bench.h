// What the benchmarks share. Names are group/case/instruction set/..., so that a filter picks any part of them.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/status.h"
#include "cpu/kernels.h"
#include "tandem.h"

namespace td::bench {

// Larger than any cache of one socket that we know.
constexpr int64_t kBeyondCaches = int64_t{512} << 20;

inline std::vector<td_isa> isas() {
  std::vector<td_isa> found;
  for (const td_isa isa : {TD_ISA_SCALAR, TD_ISA_AVX2, TD_ISA_AVX512, TD_ISA_AMX}) {
    try {
      kernelsFor(isa);
      found.push_back(isa);
    } catch (const Failure&) {
    }
  }
  return found;
}

// One, and all.
inline std::set<int> threadCounts() {
  return {1, std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
}

// A benchmark that cannot be set up has nothing to say.
template <class Result>
Result ok(Result result) {
  if (result < 0) {
    char message[1024];
    td_error_message(message, sizeof message);
    fprintf(stderr, "%s\n", message);
    std::abort();
  }
  return result;
}

// A device with one buffer, from which tensors are taken one after another, and a program over them.
class Rig {
 public:
  Rig(td_isa isa, int threads, int64_t bytes)
      : device_(ok(td_device_open("cpu", isaName(isa), threads, 0))),
        buffer_(ok(td_buffer_create(device_, bytes))),
        program_(ok(td_program_create(device_))) {
    // A small positive number in every type. Memory that nobody wrote to would be one page of zeros.
    memset(data(0), 0x2c, static_cast<size_t>(bytes));
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;
  ~Rig() {
    td_program_close(program_);
    td_buffer_close(buffer_);
    td_device_close(device_);
  }

  int64_t device() const { return device_; }
  int64_t program() const { return program_; }
  uint8_t* data(int64_t offset) const { return reinterpret_cast<uint8_t*>(ok(td_buffer_address(buffer_))) + offset; }

  // Activations as matmul wants them for such weights: encoded, because what is encoded holds indices too.
  int32_t activations(int32_t weightType, int64_t rows, int64_t columns) {
    const int32_t type = ok(td_activation_type(device_, weightType));
    const int64_t plainAt = end_, plainBytes = rows * columns * static_cast<int64_t>(sizeof(float));
    if (type == TD_F32) return tensor(TD_F32, TD_PLAIN, rows, columns);
    end_ += (plainBytes + 63) / 64 * 64;
    const int64_t at = end_;
    const int32_t index = tensor(type, TD_PLAIN, rows, columns);
    const int64_t encoding = ok(td_program_create(device_)), count = ok(td_buffer_create(device_, 4));
    const auto all = static_cast<int32_t>(rows);
    ok(td_buffer_write(count, 0, &all, 4));
    ok(td_program_extent(encoding, ok(td_program_tensor(encoding, count, 0, TD_I32, TD_PLAIN, 1, 1))));
    ok(td_op_encode(encoding, ok(td_program_tensor(encoding, buffer_, plainAt, TD_F32, TD_PLAIN, rows, columns)),
                    ok(td_program_tensor(encoding, buffer_, at, type, TD_PLAIN, rows, columns))));
    ok(td_program_finish(encoding));
    ok(td_program_run(encoding, 0));
    td_program_close(encoding);
    td_buffer_close(count);
    return index;
  }

  int32_t tensor(int32_t type, td_layout layout, int64_t rows, int64_t columns) {
    const int32_t index = ok(td_program_tensor(program_, buffer_, end_, type, layout, rows, columns));
    last_ = end_;
    end_ += (ok(td_tensor_bytes(type, layout, rows, columns)) + 63) / 64 * 64;
    return index;
  }
  int32_t f32(int64_t rows, int64_t columns) { return tensor(TD_F32, TD_PLAIN, rows, columns); }
  int32_t floats(const std::vector<float>& values, int64_t columns) { return filled(TD_F32, values, columns); }
  int32_t i32(const std::vector<int32_t>& values, int64_t columns = 1) { return filled(TD_I32, values, columns); }
  int32_t f64(const std::vector<double>& row) { return filled(TD_F64, row, static_cast<int64_t>(row.size())); }
  void extent(int64_t rows) { ok(td_program_extent(program_, i32({static_cast<int32_t>(rows)}))); }
  void finish() { ok(td_program_finish(program_)); }
  void run() const { ok(td_program_run(program_, 0)); }

 private:
  template <class T>
  int32_t filled(int32_t type, const std::vector<T>& values, int64_t columns) {
    const int32_t index = tensor(type, TD_PLAIN, static_cast<int64_t>(values.size()) / columns, columns);
    memcpy(data(last_), values.data(), values.size() * sizeof(T));
    return index;
  }

  int64_t device_, buffer_, program_;
  int64_t end_ = 0, last_ = 0;
};

// Work per second, in billions of `unit`: "GFLOP=91.2/s".
inline void rate(benchmark::State& state, const char* unit, double perIteration) {
  state.counters[unit] =
      benchmark::Counter(perIteration * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace td::bench
