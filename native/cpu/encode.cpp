// Encoding activations for matmul: to int8 per block of 32, or to bf16. A row's encoding depends on that row alone.
#include "core/half.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

// scale = max|x| / 127, quant = x * (127 / max|x|) rounded to nearest even. A short last block counts as padded with zeros.
void encode8(const float* x, int64_t columns, Act8Block* out) {
  for (int64_t first = 0; first < columns; first += kActBlock, ++out) {
    const int left = static_cast<int>(columns - first < kActBlock ? columns - first : kActBlock);
    const F32x16 front = loadFirst(x + first, left < 16 ? left : 16);
    const F32x16 back = left > 16 ? loadFirst(x + first + 16, left - 16) : zeroF();
    const float largest = maxLane(maximum(absolute(front), absolute(back)));
    // x * 0 is 0, or NaN for what is not finite; a maximum would lose it.
    const float poison = sumLanes(mulAdd(back, zeroF(), mul(front, zeroF())));
    const float inverse = largest > 0x1p-100f && poison == 0 ? 127.0f / largest : 0.0f;
    storeInt8First(out->quants, roundToInt(mul(front, broadcast(inverse))), 16);
    storeInt8First(out->quants + 16, roundToInt(mul(back, broadcast(inverse))), 16);
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < kActBlock; ++i) sums[i / 16] += out->quants[i];
    out->scale = largest / 127.0f + poison;
    out->firstSum = sums[0];
    out->sum = sums[0] + sums[1];
    out->scaledSum = out->scale * static_cast<float>(out->sum);
  }
}

void encodeBf16(const float* x, int64_t columns, uint16_t* out) {
  for (int64_t i = 0; i < columns; ++i) out[i] = floatToBf16(x[i]);
  if (columns % 2 != 0) out[columns] = 0;
}

}  // namespace td::TD_ISA
