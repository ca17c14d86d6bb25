// Matmul kernels of the formats whose blocks are 32 weights with one scale.
#include "cpu/quantized_blocks.h"

namespace td::TD_ISA {

void matmulQ40(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q40>>(piece);
}
void matmulQ41(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q41>>(piece);
}
void matmulQ80(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q80>>(piece);
}

}  // namespace td::TD_ISA
