#include "emulated_tiles.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace td::testing {
namespace {

constexpr int kTiles = 8, kMostRows = 16, kMostRowBytes = 64;  // palette 1

struct Tile {
  int rows = 0, rowBytes = 0;
  bool filled = false;
  uint8_t bytes[kMostRows][kMostRowBytes] = {};
};

class Machine {
 public:
  void configure(const uint8_t* shapes) {
    ++report_.configurations;
    if (report_.configured) return fault("configured again without a release");
    if (shapes[0] != 1) return fault("palette %d", shapes[0]);
    for (int i = 1; i < 16; ++i) {
      if (shapes[i] != 0) return fault("byte %d of the configuration is %d", i, shapes[i]);
    }
    for (int t = 0; t < 16; ++t) {
      uint16_t rowBytes;
      memcpy(&rowBytes, shapes + 16 + 2 * t, sizeof rowBytes);
      const int rows = shapes[48 + t];
      if (t >= kTiles && (rows != 0 || rowBytes != 0)) return fault("tile %d does not exist", t);
      if (rows > kMostRows || rowBytes > kMostRowBytes || (rows == 0) != (rowBytes == 0)) {
        return fault("tile %d has %d rows of %d bytes", t, rows, rowBytes);
      }
      if (t >= kTiles) continue;
      tiles_[t] = {};
      tiles_[t].rows = rows;
      tiles_[t].rowBytes = rowBytes;
    }
    report_.configured = true;
  }

  void release() {
    if (!report_.configured) return fault("released, but not configured");
    report_.configured = false;
  }

  void zero(int t) {
    if (!usable(t, "zero")) return;
    memset(tiles_[t].bytes, 0, sizeof tiles_[t].bytes);
    tiles_[t].filled = true;
  }

  void load(int t, const uint8_t* first, int64_t stride) {
    if (!usable(t, "load")) return;
    Tile& tile = tiles_[t];
    memset(tile.bytes, 0, sizeof tile.bytes);
    for (int row = 0; row < tile.rows; ++row) {
      memcpy(tile.bytes[row], first + row * stride, static_cast<size_t>(tile.rowBytes));
    }
    tile.filled = true;
  }

  void store(int t, uint8_t* first, int64_t stride) {
    if (!usable(t, "store") || !filled(t, "store")) return;
    const Tile& tile = tiles_[t];
    if (stride < tile.rowBytes)
      return fault("store of tile %d: rows overlap, %d bytes apart", t, static_cast<int>(stride));
    for (int row = 0; row < tile.rows; ++row) {
      memcpy(first + row * stride, tile.bytes[row], static_cast<size_t>(tile.rowBytes));
    }
  }

  // sums[m][n] += over k and j < 4: a[m][4 k + j] * b[k][4 n + j]
  void dot(int sums, int a, int b) {
    if (!usable(sums, "dot") || !usable(a, "dot") || !usable(b, "dot")) return;
    if (sums == a || sums == b || a == b) return fault("dot: of tiles %d, %d, %d two are the same", sums, a, b);
    Tile &c = tiles_[sums], &x = tiles_[a], &w = tiles_[b];
    if (c.rows != x.rows || c.rowBytes != w.rowBytes || x.rowBytes != 4 * w.rows || c.rowBytes % 4 != 0) {
      return fault("dot: %d x %d bytes from %d x %d by %d x %d", c.rows, c.rowBytes, x.rows, x.rowBytes, w.rows,
                   w.rowBytes);
    }
    if (!filled(sums, "dot") || !filled(a, "dot") || !filled(b, "dot")) return;
    ++report_.dots;
    for (int m = 0; m < c.rows; ++m) {
      for (int n = 0; n < c.rowBytes / 4; ++n) {
        int32_t sum;
        memcpy(&sum, c.bytes[m] + 4 * n, sizeof sum);
        for (int k = 0; k < w.rows; ++k) {
          for (int j = 0; j < 4; ++j) {
            sum += static_cast<int8_t>(x.bytes[m][4 * k + j]) * static_cast<int8_t>(w.bytes[k][4 * n + j]);
          }
        }
        memcpy(c.bytes[m] + 4 * n, &sum, sizeof sum);
      }
    }
  }

  TileReport report() {
    const TileReport result = report_;
    report_ = {};
    report_.configured = result.configured;
    return result;
  }

 private:
  bool usable(int t, const char* what) {
    if (!report_.configured) {
      fault("%s of tile %d: not configured", what, t);
    } else if (t < 0 || t >= kTiles || tiles_[t].rows == 0) {
      fault("%s of tile %d, which the configuration does not have", what, t);
    } else {
      return true;
    }
    return false;
  }

  bool filled(int t, const char* what) {
    if (!tiles_[t].filled) fault("%s of tile %d, which nothing was put into", what, t);
    return tiles_[t].filled;
  }

  [[gnu::format(printf, 2, 3)]] void fault(const char* format, ...) {
    if (report_.faults++ > 0) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report_.firstFault, sizeof report_.firstFault, format, arguments);
    va_end(arguments);
  }

  Tile tiles_[kTiles];
  TileReport report_ = {};
};

Machine& machine() {
  thread_local Machine ofThread;
  return ofThread;
}

}  // namespace

void emulateConfigure(const void* shapes) {
  machine().configure(static_cast<const uint8_t*>(shapes));
}
void emulateRelease() {
  machine().release();
}
void emulateZero(int tile) {
  machine().zero(tile);
}
void emulateLoad(int tile, const void* first, int64_t stride) {
  machine().load(tile, static_cast<const uint8_t*>(first), stride);
}
void emulateDot(int sums, int a, int b) {
  machine().dot(sums, a, b);
}
void emulateStore(int tile, void* first, int64_t stride) {
  machine().store(tile, static_cast<uint8_t*>(first), stride);
}
TileReport tileReport() {
  return machine().report();
}

}  // namespace td::testing
