// The rules of memory that checked views hold a kernel to. Each function throws a Violation.
#pragma once

#include <cstring>

#include "cuda/emulated/window.h"

namespace td::emulated {

enum class Access { read, write, atomic };

[[noreturn]] void failBounds(const Window& window, int64_t index, size_t bytes, Access access);
[[noreturn]] void failAlignment(const Window& window, int64_t index, size_t alignment, Access access);
[[noreturn]] void failNull(const char* what);

// Some bytes, `offset` behind the beginning of an element of a window that has a shadow: has somebody written them, and
// is every conflicting access ordered with this one?
void checkShadow(const Window& window, int64_t index, size_t offset, size_t bytes, Access access);
// What is there is not to be read before it is written again: an asynchronous copy is on its way.
void forgetShadow(const Window& window, int64_t index, size_t bytes);

// The same for what an operation reads or writes as a whole; returns what is wrong, or nothing. `what` names the
// memory.
std::string checkRead(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment, bool initialised,
                      const std::string& what);
std::string checkWrite(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment,
                       const std::string& what);
// What others read of it, unordered with the operation.
std::vector<Claim> claimsAgainst(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment);

inline void check(const Window& window, int64_t index, size_t bytes, Access access) {
  if (index < 0 || index >= window.count || bytes > static_cast<size_t>(window.count - index) * window.elementBytes)
      [[unlikely]] {
    failBounds(window, index, bytes, access);
  }
  if (window.shadow != nullptr) checkShadow(window, index, 0, bytes, access);
}

// One member of an element: `offset` bytes behind its beginning.
template <class Member>
Member loadChecked(const Window& window, int64_t index, size_t offset) {
  if (index < 0 || index >= window.count) [[unlikely]]
    failBounds(window, index, sizeof(Member), Access::read);
  if (window.shadow != nullptr) checkShadow(window, index, offset, sizeof(Member), Access::read);
  Member value;
  memcpy(&value, window.data + static_cast<size_t>(index) * window.elementBytes + offset, sizeof value);
  return value;
}

}  // namespace td::emulated
