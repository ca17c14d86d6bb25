// Matmul kernels of the formats whose blocks are 256 weights.
#include "cpu/quantized_superblocks.h"

namespace td::TD_ISA {

void matmulQ4K(const MatMulPiece& piece) {
  matmulGroups<QuantizedUnpacked<Q4K>>(piece);
}
void matmulQ6K(const MatMulPiece& piece) {
  matmulGroups<QuantizedUnpacked<Q6K>>(piece);
}

int64_t workBytesOfQ4K(int64_t columns) {
  return QuantizedUnpacked<Q4K>::workBytes(columns);
}
int64_t workBytesOfQ6K(int64_t columns) {
  return QuantizedUnpacked<Q6K>::workBytes(columns);
}

}  // namespace td::TD_ISA
