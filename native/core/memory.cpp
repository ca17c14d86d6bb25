#include "core/memory.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
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

bool placeOnNode(const uint8_t* data, size_t bytes, int node) {
  constexpr size_t kBits = sizeof(unsigned long) * CHAR_BIT;
  std::array<unsigned long, 1024 / kBits> mask{};
  if (bytes == 0 || node < 0 || static_cast<size_t>(node) >= mask.size() * kBits) return false;
  mask[static_cast<size_t>(node) / kBits] = 1ul << static_cast<size_t>(node) % kBits;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = address / page * page;
  // The kernel wants one bit more than there are.
  return syscall(SYS_mbind, first, address + bytes - first, MPOL_PREFERRED, mask.data(), mask.size() * kBits + 1, 0) ==
         0;
}

void placeParts(const NodeShares& shares, std::span<const uint8_t> memory, int64_t offset, int64_t items,
                int64_t itemBytes, const PlaceRange& place) {
  if (shares.nodes() < 2) return;
  // Memory is aligned to this, and asks for pages of this size.
  const int64_t page = memory.size() >= kHugePage ? int64_t{kHugePage} : sysconf(_SC_PAGESIZE);
  const auto edgeBefore = [&](int64_t item) {
    const int64_t nearest = (offset + item * itemBytes + page / 2) / page * page;
    return static_cast<size_t>(std::min(nearest, static_cast<int64_t>(memory.size())));
  };
  for (int node = 0; node < shares.nodes(); ++node) {
    const ChunkRange part = shares.part(items, node);
    const size_t first = edgeBefore(part.first), last = edgeBefore(part.last);
    if (first < last) place(memory.data() + first, last - first, shares.home(node).id);
  }
}

}  // namespace td
