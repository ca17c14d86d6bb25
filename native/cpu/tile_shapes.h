// The configuration of AMX's tile registers, as LDTILECFG reads it.
#pragma once

#include <cstdint>

namespace td::TD_ISA {

// Palette 1: eight registers of at most 16 rows and 64 bytes per row; one of 0 rows is not used (Intel, Software
// Developer's Manual, volume 1, "Programming with Intel AMX").
struct TileShapes {
  uint8_t palette = 1;
  uint8_t startRow = 0;
  uint8_t zeros[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int rowsOfTile, int bytesOfRow) {
    rows[tile] = static_cast<uint8_t>(rowsOfTile);
    rowBytes[tile] = static_cast<uint16_t>(bytesOfRow);
  }
};
static_assert(sizeof(TileShapes) == 64);

}  // namespace td::TD_ISA
