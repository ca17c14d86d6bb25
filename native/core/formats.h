// Weight formats as data. A format says how GGUF packs a block of a row, how a block is decoded, and of which fields it
// consists: that is all that the tile layout (tiles.h) needs to know.
#pragma once

#include <cstdint>
#include <span>

#include "tandem.h"

namespace td {

// A run of equal units inside a block, which the tile layout interleaves by row: bytes [offset, offset + unit * count).
struct Field {
  int offset;
  int unit;  // bytes: 1, 2 or 4
  int count;
};

struct Format {
  td_type type;
  int blockElements;
  int blockBytes;
  std::span<const Field> fields;  // covers the block without gaps
  void (*decode)(const uint8_t* block, float* elements);

  int64_t rowBytes(int64_t columns) const { return columns / blockElements * blockBytes; }
};

// The format of a weight type, or null: I32, activations and types that this build does not know are no weights.
const Format* findFormat(int32_t type);

// The same, but an unknown type is TD_UNSUPPORTED with a message that lists the known ones.
const Format& formatOf(int32_t type);

}  // namespace td
