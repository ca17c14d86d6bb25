// A block's shared memory. Every array is an allocation of its own, so that an overflow shows, instead of landing in
// the next array as it would on a GPU. Before each block all bits are set: NaN, where somebody reads what nobody wrote.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulated/window.h"

namespace td::emulated {

constexpr size_t kMostStaticShared = 48 << 10, kMostShared = 96 << 10;  // of Turing to Blackwell, the least

class SharedMemory {
 public:
  // For a launch with so much dynamic shared memory; with shadow or without.
  void begin(size_t dynamicBytes, bool shadowed);
  void beginBlock();

  // The array that a declaration stands for; `key` is the declaration's own, whatever it points to. The first thread
  // that comes there makes it.
  const Window& array(const void* key, const char* name, size_t elementBytes, size_t count);
  // A part of the dynamic shared memory.
  const Window& dynamic(size_t offset, size_t elementBytes, size_t count);
  size_t dynamicBytes() const { return dynamicBytes_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  struct Array {
    const void* key;
    size_t bytes;
    std::unique_ptr<std::byte, Free> data;
    std::unique_ptr<Shadow> shadow;
    Window window;
  };

  std::unique_ptr<Array> make(const void* key, size_t bytes) const;

  size_t dynamicBytes_ = 0, staticBytes_ = 0;
  bool shadowed_ = false;
  std::vector<std::unique_ptr<Array>> arrays_;
  std::unique_ptr<Array> dynamic_;
  std::vector<std::unique_ptr<Window>> parts_;  // of the dynamic one
};

}  // namespace td::emulated
