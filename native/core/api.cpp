// The C ABI of tandem.h.

#include <algorithm>
#include <cstring>
#include <string>

#include "cpu/kernels.h"
#include "tandem.h"

namespace {

// What failed last on this thread.
thread_local std::string error_message;

int32_t fail(int32_t status, std::string message) {
  error_message = std::move(message);
  return status;
}

}  // namespace

int32_t td_abi_version(void) {
  return TD_ABI_VERSION;
}

int64_t td_error_message(void* text, int64_t bytes) {
  const auto length = static_cast<int64_t>(error_message.size());
  if (text != nullptr && bytes > 0) {
    std::memcpy(text, error_message.data(), static_cast<size_t>(std::min(length, bytes)));
  }
  return length;
}

int64_t td_address_of(const void* memory) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory));
}

int32_t td_add_f32(void* sum, const void* addend, int64_t count) {
  if (sum == nullptr || addend == nullptr || count < 0) {
    return fail(
        TD_INVALID_ARGUMENT,
        "td_add_f32: sum and addend must be direct buffers and count at least 0, but was " + std::to_string(count));
  }
  tandem::cpu::kernels().add(static_cast<float*>(sum), static_cast<const float*>(addend), static_cast<size_t>(count));
  return TD_OK;
}
