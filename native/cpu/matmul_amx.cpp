// What AMX adds to AVX-512: quantised matmul of many tokens. All other kernels are AVX-512's (isa.cpp).
#include "cpu/matmul_amx.h"

#include "cpu/limits.h"
#include "cpu/tile_registers.h"

namespace td::avx512 {
void (*matmul(int32_t weightType))(const MatMulPiece&);
}

namespace td::amx {
namespace {

// As limit_loops.cpp: products that wait for nothing, with registers as full as they can be.
constexpr int64_t kSteps = 2'000;

void int8() {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.set(tile, 16, 64);
  TileRegisters::configure(shapes);
  for (int64_t step = 0; step < kSteps; ++step) {
    TileRegisters::dot<0, 4, 6>();
    TileRegisters::dot<1, 5, 6>();
    TileRegisters::dot<2, 4, 7>();
    TileRegisters::dot<3, 5, 7>();
  }
  TileRegisters::release();
}

}  // namespace

void (*matmul(int32_t weightType))(const MatMulPiece&) {
  return amxMatMul<TileRegisters, avx512::matmul>(weightType);
}

extern const LimitLoop int8Limit;
constinit const LimitLoop int8Limit = {int8, 2.0 * 4 * kSteps * 16 * 16 * 64};

}  // namespace td::amx
