// Anonymous memory from the operating system: zero-filled, given page by page as it is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

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

}  // namespace td
