#include "core/tiles.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/status.h"

namespace td {
namespace {

// Sixteen bytes of units, in which the compiler knows the unpack (zip) instructions of every processor.
template <class Unit>
struct Lanes {
  static constexpr int kCount = 16 / static_cast<int>(sizeof(Unit));
  typedef Unit Vector __attribute__((vector_size(16)));

  template <int... Lane>
  static void zip(Vector a, Vector b, Vector& low, Vector& high, std::integer_sequence<int, Lane...>) {
    low = __builtin_shufflevector(a, b, (Lane % 2 * kCount + Lane / 2)...);
    high = __builtin_shufflevector(a, b, (Lane % 2 * kCount + kCount / 2 + Lane / 2)...);
  }

  // A square of units, rows to columns. Zipping the first half of the rows with the second takes the top bit of a
  // unit's index (row, column) to the bottom; after as many rounds as a row's index has bits, the two are exchanged.
  static void transpose(Vector* square) {
    for (int round = 1; round < kCount; round *= 2) {
      Vector zipped[kCount];
      for (int i = 0; i < kCount / 2; ++i) {
        zip(square[i], square[i + kCount / 2], zipped[2 * i], zipped[2 * i + 1],
            std::make_integer_sequence<int, kCount>());
      }
      for (int i = 0; i < kCount; ++i) square[i] = zipped[i];
    }
  }
};

// Copies units [first, units) of the rows one by one; they come to lie side by side.
template <class Unit>
[[gnu::always_inline]] inline void interleaveEach(const uint8_t* const* rows, int count, int64_t at, int64_t first,
                                                  int64_t units, uint8_t* out) {
  constexpr int64_t kBytes = sizeof(Unit);
  for (int64_t unit = first; unit < units; ++unit) {
    for (int row = 0; row < count; ++row) {
      Unit value;
      memcpy(&value, rows[row] + at + unit * kBytes, sizeof value);
      memcpy(out + (unit * kTileRows + row) * kBytes, &value, sizeof value);
    }
  }
}

// The same for a whole run of units, by squares where there are 16 rows. A last square that is not full is made all the
// same if the rows have `readable` bytes from `at` on.
template <class Unit>
void interleave(const uint8_t* const* rows, int count, int64_t at, int64_t units, int64_t readable, uint8_t* out) {
  using Square = Lanes<Unit>;
  using Vector = typename Square::Vector;
  constexpr int64_t kBytes = sizeof(Unit);
  int64_t unit = 0;
  if (count == kTileRows) {
    while (units - unit > Square::kCount / 4 && unit * kBytes + 16 <= readable) {
      const int64_t full = std::min<int64_t>(Square::kCount, units - unit);
      for (int row = 0; row < kTileRows; row += Square::kCount) {
        Vector square[Square::kCount];
        for (int i = 0; i < Square::kCount; ++i) memcpy(&square[i], rows[row + i] + at + unit * kBytes, 16);
        Square::transpose(square);
        uint8_t* to = out + (unit * kTileRows + row) * kBytes;
        for (int i = 0; i < full; ++i) memcpy(to + i * kTileRows * kBytes, &square[i], 16);
      }
      unit += full;
    }
    return interleaveEach<Unit>(rows, kTileRows, at, unit, units, out);  // unrolled
  }
  interleaveEach<Unit>(rows, count, at, unit, units, out);
}

void interleave(const Field& field, const uint8_t* const* rows, int count, int64_t at, int64_t units, int64_t readable,
                uint8_t* out) {
  switch (field.unit) {
    case 1:
      return interleave<uint8_t>(rows, count, at, units, readable, out);
    case 2:
      return interleave<uint16_t>(rows, count, at, units, readable, out);
    default:
      return interleave<uint32_t>(rows, count, at, units, readable, out);
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
  const int64_t wholeBlocks = std::min(blocks, columns / format.blockElements - firstBlock);
  const int64_t at = firstBlock * format.blockBytes;
  if (format.fields.size() == 1) {  // then the blocks of a row are one run of units
    const Field& field = format.fields[0];
    interleave(field, starts, rows, at, wholeBlocks * field.count, wholeBlocks * format.blockBytes, tiles);
  } else {
    for (int64_t block = 0; block < wholeBlocks; ++block) {
      uint8_t* const tile = tiles + block * tileBytes(format);
      for (const Field& field : format.fields) {
        interleave(field, starts, rows, at + block * format.blockBytes + field.offset, field.count,
                   format.blockBytes - field.offset, tile + field.offset * kTileRows);
      }
    }
  }
  if (wholeBlocks < blocks) {
    uint8_t padded[kTileRows][4] = {};
    const int64_t last = at + wholeBlocks * format.blockBytes;
    for (int row = 0; row < rows; ++row) {
      memcpy(padded[row], starts[row] + last, static_cast<size_t>(plainRowBytes(format, columns) - last));
      starts[row] = padded[row];
    }
    interleave(format.fields[0], starts, rows, 0, 1, 4, tiles + wholeBlocks * tileBytes(format));
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
