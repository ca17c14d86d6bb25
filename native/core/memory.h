// Anonymous memory from the operating system: zero-filled, given page by page as it is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "core/topology.h"

namespace td {

class Memory {
 public:
  Memory() = default;
  // Aligned to 2 MiB, on huge pages where the system has them, if that large; else to a page. Fails with
  // TD_OUT_OF_MEMORY.
  explicit Memory(size_t bytes);
  ~Memory();
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// placeOnNode(), or what a test puts in its place.
using PlaceRange = std::function<bool(const uint8_t* data, size_t bytes, int node)>;

// Asks the system to take the pages of [data, data + bytes) from a memory node when they are first touched, or from
// another one where that has none left; a page that two ranges share stays with the later one. Returns whether it will:
// a system that refuses only makes the memory slower.
bool placeOnNode(const uint8_t* data, size_t bytes, int node);

// Places each node's part of `items` items of `itemBytes`, which lie from `offset` on in the memory of a Memory, at
// that node, so that the workers who will take these items (ThreadPool) are near them. Must come before anybody touches
// them. Where parts meet, and at both ends, a page belongs to whoever has most of it: a huge page that were cut would
// become many small ones. Does nothing where there is one node.
void placeParts(const NodeShares& shares, std::span<const uint8_t> memory, int64_t offset, int64_t items,
                int64_t itemBytes, const PlaceRange& place = placeOnNode);

}  // namespace td
