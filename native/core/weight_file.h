// From a weight file to memory: how td_tensor_load() lays out what it reads.
#pragma once

#include "core/file.h"
#include "core/tiles.h"

namespace td {

// Reads `rows` rows of a matrix that begins at `fileOffset` into `target`, in `layout`, with the types that
// td_tensor_load() allows: all have been checked. Takes 256 KiB of memory meanwhile, or 16 rows. A matrix may be read
// in parts, cut at multiples of 16 rows.
void readMatrix(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, uint8_t* target,
                int32_t targetType, td_layout layout);

}  // namespace td
