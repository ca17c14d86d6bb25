#include "cuda/emulated/shadow.h"

namespace td::emulated {
namespace {

constexpr size_t kManyClaims = 256;

}  // namespace

void Shadow::refine(Page& page, int shift) {
  auto finer = std::make_unique<Cell[]>(kPage >> shift);
  for (size_t i = 0; i < kPage >> shift; ++i) {
    if (page.cells == nullptr) {
      finer[i].written = page.written;
    } else {
      finer[i] = page.cells[i << shift >> page.shift];
    }
  }
  page.cells = std::move(finer);
  page.shift = shift;
}

void Shadow::write(size_t offset, size_t bytes, Stamp stamp) {
  const size_t end = offset + bytes;
  while (offset < end) {
    Page& page = pages_[offset / kPage];
    const size_t pageEnd = std::min(end, (offset / kPage + 1) * kPage);
    if (pageEnd - offset == kPage) {
      page.cells.reset();
      page.shift = 2;
      page.written = stamp;
    } else {
      each(offset, pageEnd - offset, [&](Cell& cell, size_t) { cell = {.written = stamp}; });
    }
    offset = pageEnd;
  }
}

void Shadow::claim(const Claim& claim, const Timeline& timeline) {
  for (Claim& earlier : claims_) {
    if (earlier.from == claim.from && earlier.to == claim.to && earlier.stream == claim.stream) {
      earlier.serial = claim.serial;  // a stream's operations follow one another
      return;
    }
  }
  if (claims_.size() >= kManyClaims) {
    std::erase_if(claims_, [&](const Claim& old) { return timeline.isForgotten(old.serial); });
  }
  claims_.push_back(claim);
}

}  // namespace td::emulated
