// What is known about every element of a piece of memory: who wrote it last, and who has read it since. Cells are made
// where a kernel first touches a kilobyte; a copy or fill of all of it is one stamp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/emulated/timeline.h"

namespace td::emulated {

// The three readers suffice for every writer that conflicts with any reader to conflict with one of them: the last one;
// the last one in the same warp but another lane; and the last one of another warp.
struct Cell {
  Stamp written = 0;
  Stamp reader = 0, otherLane = 0, otherWarp = 0;
};

// Bytes that something reads as a whole.
struct Claim {
  size_t from, to;
  int stream;
  uint64_t serial;
};

class Shadow {
 public:
  explicit Shadow(size_t bytes) : pages_((bytes + kPage - 1) / kPage) {}

  // Calls visit(cell, offset of it) for the cells of [offset, offset + bytes). Cells are as small as the accesses to
  // their page have been: 4 bytes, 2, or 1.
  template <class Visit>
  void each(size_t offset, size_t bytes, Visit visit) {
    const size_t end = offset + bytes;
    const int shift = finest(offset | bytes);
    while (offset < end) {
      Page& page = pages_[offset / kPage];
      if (page.cells == nullptr || page.shift > shift) refine(page, shift);
      const size_t step = size_t{1} << page.shift, pageEnd = std::min(end, (offset / kPage + 1) * kPage);
      for (; offset < pageEnd; offset += step) visit(page.cells[offset % kPage >> page.shift], offset);
    }
  }

  // A kernel was given this part as read-only, or a copy reads it: nothing unordered may write to it.
  void claim(const Claim& claim, const Timeline& timeline);
  const std::vector<Claim>& claims() const { return claims_; }

  // All of it was written at once.
  void write(size_t offset, size_t bytes, Stamp stamp);
  // Calls visit(cell, from, to) for what lies in the range, once for all of a page whose elements are alike and have no
  // readers.
  template <class Visit>
  void survey(size_t offset, size_t bytes, Visit visit) const {
    const size_t end = offset + bytes;
    while (offset < end) {
      const Page& page = pages_[offset / kPage];
      const size_t pageEnd = std::min(end, (offset / kPage + 1) * kPage);
      if (page.cells == nullptr) {
        visit(Cell{.written = page.written}, offset, pageEnd);
      } else {
        const size_t step = size_t{1} << page.shift;
        for (size_t at = offset & ~(step - 1); at < pageEnd; at += step) {
          visit(page.cells[at % kPage >> page.shift], std::max(at, offset), std::min(at + step, pageEnd));
        }
      }
      offset = pageEnd;
    }
  }

 private:
  static constexpr size_t kPage = 1024;
  struct Page {
    Stamp written = 0;  // as long as there are no cells
    int shift = 2;
    std::unique_ptr<Cell[]> cells;
  };

  static int finest(size_t bits) { return (bits & 1) != 0 ? 0 : (bits & 2) != 0 ? 1 : 2; }
  static void refine(Page& page, int shift);

  std::vector<Page> pages_;
  std::vector<Claim> claims_;
};

}  // namespace td::emulated
