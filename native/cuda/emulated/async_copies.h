// A thread's asynchronous copies to shared memory. What they carry is read when they are asked for, and arrives when
// somebody waits: a kernel that forgets to finds what was there before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/emulated/window.h"

namespace td::emulated {

// Where a copy goes; with a window, if accesses are checked.
struct CopyTarget {
  std::byte* data;
  const Window* window = nullptr;
  int64_t index = 0;
};

class AsyncCopies {
 public:
  void add(const CopyTarget& target, const std::byte* bytes, size_t count);
  void commit();
  // Until no more than the last `pending` groups are on their way.
  void await(size_t pending);
  // At the end of a thread.
  void drop();

 private:
  struct Copy {
    CopyTarget target;
    std::array<std::byte, 16> bytes;
    size_t count;
  };
  using Group = std::vector<Copy>;

  Group open_;
  std::vector<Group> groups_;
};

}  // namespace td::emulated
