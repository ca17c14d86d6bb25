#include "core/memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "core/status.h"

namespace td {
namespace {
constexpr size_t kHugePage = size_t{2} << 20;
}

Memory::Memory(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  const bool huge = bytes >= kHugePage;
  mapped_ = huge ? bytes + kHugePage : bytes;
  mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    fail(TD_OUT_OF_MEMORY, "the system refused %s of memory (%s); choose a smaller model or context, or free memory",
         bytesText(static_cast<int64_t>(bytes)).c_str(), strerror(errno));
  }
  data_ = static_cast<uint8_t*>(mapping_);
  if (huge) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(mapping_);
    data_ += (kHugePage - address % kHugePage) % kHugePage;
    madvise(data_, bytes, MADV_HUGEPAGE);  // advice: where it is not taken, the memory is only slower
  }
}

Memory::~Memory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace td
