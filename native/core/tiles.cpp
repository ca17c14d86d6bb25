#include "core/tiles.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/status.h"

namespace td {
namespace {

// Copies field by field; the units of 16 rows come to lie side by side.
template <class Unit>
void interleave(const uint8_t* const* rows, int count, int64_t at, int units, uint8_t* out) {
  for (int unit = 0; unit < units; ++unit) {
    for (int row = 0; row < count; ++row) {
      Unit value;
      memcpy(&value, rows[row] + at + unit * static_cast<int>(sizeof(Unit)), sizeof value);
      memcpy(out + (unit * kTileRows + row) * static_cast<int>(sizeof(Unit)), &value, sizeof value);
    }
  }
}

}  // namespace

void checkShape(int64_t rows, int64_t columns, const char* what) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max(), kMostElements = int64_t{1} << 52;
  if (rows < 0 || columns < 1 || rows > kMost || columns > kMost || rows > kMostElements / columns) {
    fail(TD_INVALID_ARGUMENT, "%s: shape [%lld, %lld] is not possible", what, static_cast<long long>(rows),
         static_cast<long long>(columns));
  }
}

int64_t plainRowBytes(const Format& format, int64_t columns) {
  if (format.type == TD_BF16) return columns * 2;
  return format.rowBytes(columns);
}

int64_t matrixBytes(const Format& format, td_layout layout, int64_t rows, int64_t columns) {
  if (layout == TD_PLAIN) return rows * plainRowBytes(format, columns);
  return rowGroups(rows) * blocksPerRow(format, columns) * tileBytes(format);
}

void packTiles(const Format& format, const uint8_t* plain, int64_t stride, int rows, int64_t columns,
               int64_t firstBlock, int64_t blocks, uint8_t* tiles) {
  const uint8_t* starts[kTileRows];
  for (int row = 0; row < rows; ++row) starts[row] = plain + row * stride;
  if (rows < kTileRows) memset(tiles, 0, static_cast<size_t>(blocks * tileBytes(format)));

  // Only an odd row of BF16 ends inside a block: its last pair is read from a padded copy.
  uint8_t padded[kTileRows][4] = {};
  const uint8_t* paddedStarts[kTileRows];
  const int64_t wholeBlocks = columns / format.blockElements;

  for (int64_t block = 0; block < blocks; ++block) {
    int64_t at = (firstBlock + block) * format.blockBytes;
    const uint8_t* const* from = starts;
    if (firstBlock + block >= wholeBlocks) {
      for (int row = 0; row < rows; ++row) {
        memcpy(padded[row], starts[row] + at, static_cast<size_t>(plainRowBytes(format, columns) - at));
        paddedStarts[row] = padded[row];
      }
      from = paddedStarts;
      at = 0;
    }
    uint8_t* tile = tiles + block * tileBytes(format);
    for (const Field& field : format.fields) {
      uint8_t* out = tile + field.offset * kTileRows;
      switch (field.unit) {
        case 1:
          interleave<uint8_t>(from, rows, at + field.offset, field.count, out);
          break;
        case 2:
          interleave<uint16_t>(from, rows, at + field.offset, field.count, out);
          break;
        default:
          interleave<uint32_t>(from, rows, at + field.offset, field.count, out);
          break;
      }
    }
  }
}

void decodeRow(const Format& format, td_layout layout, const uint8_t* matrix, int64_t columns, int64_t row,
               float* out) {
  constexpr int kLargestBlock = 256;
  uint8_t bytes[kLargestBlock];
  float elements[kLargestBlock];
  const int64_t blocks = blocksPerRow(format, columns);
  for (int64_t block = 0; block < blocks; ++block) {
    if (layout == TD_PLAIN) {
      const int64_t at = block * format.blockBytes;
      const int64_t end = std::min<int64_t>(at + format.blockBytes, plainRowBytes(format, columns));
      memset(bytes, 0, static_cast<size_t>(format.blockBytes));
      memcpy(bytes, matrix + row * plainRowBytes(format, columns) + at, static_cast<size_t>(end - at));
    } else {
      const uint8_t* tile = matrix + (row / kTileRows * blocks + block) * tileBytes(format);
      for (const Field& field : format.fields) {
        for (int unit = 0; unit < field.count; ++unit) {
          memcpy(bytes + field.offset + unit * field.unit,
                 tile + field.offset * kTileRows + (unit * kTileRows + row % kTileRows) * field.unit,
                 static_cast<size_t>(field.unit));
        }
      }
    }
    format.decode(bytes, elements);
    const int64_t first = block * format.blockElements;
    const int64_t count = std::min<int64_t>(format.blockElements, columns - first);
    memcpy(out + first, elements, static_cast<size_t>(count) * sizeof(float));
  }
}

}  // namespace td
