// Matmul: tiled weights times encoded tokens. Which kernel serves a weight type, and what it wants its activations to
// be.
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

void matmulQ40(const MatMulPiece& piece);
void matmulQ41(const MatMulPiece& piece);
void matmulQ80(const MatMulPiece& piece);
void matmulQ4K(const MatMulPiece& piece);
void matmulQ6K(const MatMulPiece& piece);
void matmulF32(const MatMulPiece& piece);
void matmulF16(const MatMulPiece& piece);
void matmulBf16(const MatMulPiece& piece);
int64_t workBytesOfQ4K(int64_t columns);
int64_t workBytesOfQ6K(int64_t columns);

void (*matmul(int32_t weightType))(const MatMulPiece&) {
  switch (weightType) {
    case TD_Q4_0:
      return matmulQ40;
    case TD_Q4_1:
      return matmulQ41;
    case TD_Q8_0:
      return matmulQ80;
    case TD_Q4_K:
      return matmulQ4K;
    case TD_Q6_K:
      return matmulQ6K;
    case TD_F32:
      return matmulF32;
    case TD_F16:
      return matmulF16;
    case TD_BF16:
      return matmulBf16;
    default:
      return nullptr;
  }
}

int64_t matmulWorkBytes(int32_t weightType, int64_t columns) {
  switch (weightType) {
    case TD_Q4_K:
      return workBytesOfQ4K(columns);
    case TD_Q6_K:
      return workBytesOfQ6K(columns);
    default:
      return 0;
  }
}

int32_t activationType(int32_t weightType) {
  switch (weightType) {
    case TD_F32:
    case TD_F16:
      return TD_F32;
    case TD_BF16:
      return TD_LEVEL == TD_ISA_AVX512 ? TD_ACTBF16 : TD_F32;
    default:
      return TD_ACT8;
  }
}

}  // namespace td::TD_ISA
