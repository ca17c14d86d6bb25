// tandem.h as the tests use it: handles that close themselves, and calls that must succeed or must fail with a
// sentence.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "tandem.h"
#include "testing.h"

namespace td::testing {

inline std::string errorMessage() {
  std::string text(static_cast<size_t>(td_error_message(nullptr, 0)) + 1, '?');
  td_error_message(text.data(), static_cast<int64_t>(text.size()));
  text.pop_back();
  return text;
}

// A result that must be no error.
template <class Result>
Result ok(Result result) {
  EXPECT_GE(result, 0) << errorMessage();
  return result;
}

// A result that must be an error with this status, whose message contains `part`: the thing, or the value.
inline ::testing::AssertionResult refused(int64_t result, td_status status, const std::string& part) {
  if (result != -static_cast<int64_t>(status)) {
    return ::testing::AssertionFailure() << "result " << result << " instead of " << -static_cast<int64_t>(status)
                                         << (result < 0 ? ": " + errorMessage() : "");
  }
  const std::string message = errorMessage();
  if (message.find(part) == std::string::npos) {
    return ::testing::AssertionFailure() << "\"" << message << "\" does not mention \"" << part << "\"";
  }
  return ::testing::AssertionSuccess();
}

// A handle that is closed at the end.
template <int64_t (*Close)(int64_t)>
class Handle {
 public:
  explicit Handle(int64_t value) : value_(value) { EXPECT_GT(value, 0) << errorMessage(); }
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, 0)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() { close(); }
  void close() {
    if (value_ > 0) {
      EXPECT_EQ(0, Close(std::exchange(value_, 0))) << errorMessage();
    }
  }
  operator int64_t() const { return value_; }

 private:
  int64_t value_;
};

using Device = Handle<td_device_close>;
using BufferHandle = Handle<td_buffer_close>;
using FileHandle = Handle<td_file_close>;
using Flag = Handle<td_flag_close>;
using Program = Handle<td_program_close>;

// Where programs run: "cpu", or what TANDEM_TEST_DEVICE names, so that the same tests hold for other devices.
inline const char* deviceName() {
  const char* const name = getenv("TANDEM_TEST_DEVICE");
  return name != nullptr ? name : "cpu";
}

// Kernels for GPUs take weights in tiles alone; the CPU's take them as they lie in the file as well.
inline bool takesPlainWeights() {
  const std::string name = deviceName();
  return name == "cpu" || name.ends_with("/host");
}

// The instruction sets to test on the device: where its kernels are not the CPU's, any one.
inline std::vector<td_isa> deviceIsas() {
  return takesPlainWeights() ? isas() : std::vector<td_isa>{TD_ISA_SCALAR};
}

inline Device openDevice(td_isa isa, int threads, int64_t memoryLimit = 0) {
  return Device(td_device_open(deviceName(), isaName(isa), threads, memoryLimit));
}

// A buffer of elements that the test reads and writes in place.
template <class T>
class Buffer {
 public:
  Buffer(int64_t device, int64_t count)
      : handle_(td_buffer_create_shared(device, count * static_cast<int64_t>(sizeof(T)))),
        data_(reinterpret_cast<T*>(address(handle_))),
        count_(count) {}
  Buffer(int64_t device, const std::vector<T>& values) : Buffer(device, static_cast<int64_t>(values.size())) {
    std::copy(values.begin(), values.end(), data_);
  }

  int64_t handle() const { return handle_; }
  T* data() const { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t index) const { return data_[index]; }
  std::span<T> all() const { return {data_, static_cast<size_t>(count_)}; }
  void set(const std::vector<T>& values) const { std::copy(values.begin(), values.end(), data_); }
  void fill(T value) const { std::fill(data_, data_ + count_, value); }
  void close() { handle_.close(); }

 private:
  // A test that has no memory ends; its program goes on to the next.
  static int64_t address(int64_t handle) {
    const int64_t found = td_buffer_address(handle);
    if (found < 0) throw std::runtime_error("a buffer without an address: " + errorMessage());
    return found;
  }

  BufferHandle handle_;
  T* data_;
  int64_t count_;
};

template <class T>
constexpr td_type typeOf() {
  if constexpr (std::is_same_v<T, float>) return TD_F32;
  if constexpr (std::is_same_v<T, double>) return TD_F64;
  if constexpr (std::is_same_v<T, int32_t>) return TD_I32;
  if constexpr (std::is_same_v<T, uint16_t>) return TD_F16;
}

// Declares a whole buffer as a plain tensor of so many columns.
template <class T>
int32_t tensorOf(int64_t program, const Buffer<T>& buffer, int64_t columns) {
  return ok(td_program_tensor(program, buffer.handle(), 0, typeOf<T>(), TD_PLAIN, buffer.size() / columns, columns));
}

}  // namespace td::testing
