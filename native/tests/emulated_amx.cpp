// The kernel of cpu/matmul_amx.h with emulated tile registers. Compiled for several lanes.
#include "cpu/matmul_amx.h"
#include "emulated_tiles.h"

namespace td::TD_ISA {
namespace {

struct EmulatedTiles {
  static void configure(const TileShapes& shapes) { testing::emulateConfigure(&shapes); }
  static void release() { testing::emulateRelease(); }
  template <int T>
  static void zero() {
    testing::emulateZero(T);
  }
  template <int T>
  static void load(const void* first, int64_t stride) {
    testing::emulateLoad(T, first, stride);
  }
  template <int Sums, int A, int B>
  static void dot() {
    testing::emulateDot(Sums, A, B);
  }
  template <int T>
  static void store(void* first, int64_t stride) {
    testing::emulateStore(T, first, stride);
  }
};

}  // namespace

void (*matmul(int32_t weightType))(const MatMulPiece&);

void (*emulatedAmx(int32_t weightType))(const MatMulPiece&) {
  return amxMatMul<EmulatedTiles, matmul>(weightType);
}

}  // namespace td::TD_ISA
