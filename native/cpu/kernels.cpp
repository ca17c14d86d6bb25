// The table of one instruction set. Compiled once per instruction set, as every kernel source.
#include "cpu/kernels.h"

#include "cpu/simd.h"

namespace td::TD_ISA {

int32_t activationType(int32_t weightType);
void (*matmul(int32_t weightType))(const MatMulPiece&);
int64_t matmulWorkBytes(int32_t weightType, int64_t columns);
void encode8(const float* x, int64_t columns, Act8Block* out);
void encodeBf16(const float* x, int64_t columns, uint16_t* out);
void rmsNorm(const float* x, const float* weight, int64_t columns, float epsilon, float* out);
void rope(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs, td_rope_layout layout);
void storeKv(const float* k, const float* v, int headSize, int slot, uint16_t* block);
void scaleQueries(const float* q, int64_t rows, int headSize, float scale, float* out, int64_t qPanel);
void attend(const AttentionPiece& piece);
void joinPieces(AttentionResult all, AttentionResult piece, int rows, int headSize);
void divide(float* out, const float* x, float divisor, int64_t count);
void silu(const float* x, const float* y, float* out, int64_t count);
void add(const float* x, const float* y, float* out, int64_t count);
LogitRun scanLogits(const float* logits, int64_t count, float* groupLargest);
void exponentials(const float* logits, int64_t count, float base, double factor, double* out);
double weigh(const float* logits, int32_t firstId, int64_t count, const KeptRange& kept, double factor, double* out);

extern const Kernels table;
constinit const Kernels table = {
    static_cast<td_isa>(TD_LEVEL),
    activationType,
    matmul,
    matmulWorkBytes,
    encode8,
    encodeBf16,
    rmsNorm,
    rope,
    storeKv,
    scaleQueries,
    attend,
    joinPieces,
    divide,
    silu,
    add,
    scanLogits,
    exponentials,
    weigh,
};

}  // namespace td::TD_ISA
