// The tile layout: one layout per format, the same for every instruction set and for CUDA.
//
// A tile holds 16 rows by one block of the format: for each field of the block, unit 0 of rows 0..15, unit 1 of rows
// 0..15, ... A matrix is its groups of 16 rows one after another, each a run of tiles along the columns. So lane r of a
// 16-lane register is row r: nothing is ever summed across lanes, each output element has one accumulator and one order
// of summation, whatever the number of tokens (invariant 1), and a kernel reads one contiguous stream.
//
//   row group 0:  tile(block 0) tile(block 1) ... | row group 1: tile(block 0) ...
//   tile:         field 0 [unit][16 rows], field 1 [unit][16 rows], ...     16 * blockBytes in all
//
// The last group is padded with rows of zero bytes, which decode to zero in every format. BF16, whose block is a pair,
// pads an odd number of columns likewise.
#pragma once

#include <cstdint>

#include "core/formats.h"

namespace td {

constexpr int kTileRows = TD_TILE_ROWS;

inline int64_t rowGroups(int64_t rows) {
  return (rows + kTileRows - 1) / kTileRows;
}

// Blocks per row; a row that ends inside a block is refused where tensors are declared, except BF16's.
inline int64_t blocksPerRow(const Format& format, int64_t columns) {
  return (columns + format.blockElements - 1) / format.blockElements;
}

inline int64_t tileBytes(const Format& format) {
  return int64_t{kTileRows} * format.blockBytes;
}

// Fails for a shape that no tensor can have: so that no size in bytes overflows. `what` opens the message.
void checkShape(int64_t rows, int64_t columns, const char* what);

// Bytes of a row in plain layout, as GGUF stores it (an odd row of BF16 has no padding there).
int64_t plainRowBytes(const Format& format, int64_t columns);

// Bytes of a whole matrix in either layout.
int64_t matrixBytes(const Format& format, td_layout layout, int64_t rows, int64_t columns);

// Packs one row group: `rows` (1..16) plain rows, `stride` bytes apart, blocks [firstBlock, firstBlock + blocks) of
// each, into tiles.
void packTiles(const Format& format, const uint8_t* plain, int64_t stride, int rows, int64_t columns,
               int64_t firstBlock, int64_t blocks, uint8_t* tiles);

// Decodes one row of a matrix in either layout to `columns` floats.
void decodeRow(const Format& format, td_layout layout, const uint8_t* matrix, int64_t columns, int64_t row, float* out);

}  // namespace td
