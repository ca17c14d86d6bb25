// Matmul kernels of the formats whose blocks are 256 weights.
#include "cpu/quantized_superblocks.h"

namespace td::TD_ISA {

void matmulQ4K(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q4K>>(piece);
}
void matmulQ6K(const MatMulPiece& piece) {
  matmulGroups<Quantized<Q6K>>(piece);
}

}  // namespace td::TD_ISA
