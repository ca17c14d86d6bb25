#include "core/weight_file.h"

#include <algorithm>
#include <memory>

#include "core/half.h"

namespace td {
namespace {

// What a piece of a matrix is read into before it is laid out: it stays in a core's own cache on the way.
constexpr int64_t kStagingBytes = int64_t{256} << 10;

// Of rows of f16, in place.
void convertToBf16(uint8_t* halves, int64_t count) {
  auto* values = reinterpret_cast<uint16_t*>(halves);
  for (int64_t i = 0; i < count; ++i) values[i] = halfToBf16(values[i]);
}

}  // namespace

void readMatrix(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, uint8_t* target,
                int32_t targetType, td_layout layout) {
  const Format& format = formatOf(type);
  const int64_t rowBytes = plainRowBytes(format, columns);
  if (targetType == type && layout == TD_PLAIN) return file.read(fileOffset, rows * rowBytes, target);
  const Format& targetFormat = formatOf(targetType);
  const int64_t blocks = blocksPerRow(targetFormat, columns);
  const int64_t rowsAtOnce = std::max<int64_t>(1, kStagingBytes / (kTileRows * rowBytes)) * kTileRows;
  const auto staging =
      std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(std::min(rows, rowsAtOnce) * rowBytes));
  for (int64_t first = 0; first < rows; first += rowsAtOnce) {
    const int64_t count = std::min(rows - first, rowsAtOnce);
    file.read(fileOffset + first * rowBytes, count * rowBytes, staging.get());
    if (layout == TD_PLAIN) {
      for (int64_t row = 0; row < count; ++row) {
        decodeRow(format, TD_PLAIN, staging.get(), columns, row,
                  reinterpret_cast<float*>(target) + (first + row) * columns);
      }
      continue;
    }
    if (targetType != type) convertToBf16(staging.get(), count * columns);
    for (int64_t row = 0; row < count; row += kTileRows) {
      packTiles(targetFormat, staging.get() + row * rowBytes, rowBytes,
                static_cast<int>(std::min<int64_t>(kTileRows, count - row)), columns, 0, blocks,
                target + (first + row) / kTileRows * blocks * tileBytes(targetFormat));
    }
  }
}

}  // namespace td
