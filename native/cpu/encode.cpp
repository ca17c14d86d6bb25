// Encoding activations for matmul: to int8 per block of 32, or to bf16. A row's encoding depends on that row alone.
#include "core/half.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

namespace {

constexpr float kLeast = 0x1p-100f;  // a block whose largest value is not above this counts as zeros

struct Lanes32 {
  F32x16 front, back;
};

// A short last block counts as padded with zeros.
inline Lanes32 loadBlock(const float* x, int64_t left) {
  return {loadFirst(x, static_cast<int>(left < 16 ? left : 16)),
          left > 16 ? loadFirst(x + 16, static_cast<int>(left < 32 ? left - 16 : 16)) : zeroF()};
}

// Rounds 32 values to quants of a scale; returns what is left over.
inline Lanes32 encodeBlock(Lanes32 x, float scale, float inverse, Act8Block* out) {
  const I32x16 front = roundToInt(mul(x.front, broadcast(inverse))), back = roundToInt(mul(x.back, broadcast(inverse)));
  storeInt8(out->quants, front);
  storeInt8(out->quants + 16, back);
  const int32_t firstSum = sumLanes(front), sum = sumLanes(add(front, back));
  out->scale = scale;
  out->minusFirstSum = -firstSum;
  out->minusSum = -sum;
  out->scaledSum = scale * static_cast<float>(sum);
  return {negMulAdd(toFloat(front), broadcast(scale), x.front), negMulAdd(toFloat(back), broadcast(scale), x.back)};
}

// scale = max|x| / 127, quant = x * (127 / max|x|) rounded to nearest even.
inline Lanes32 encodeCoarse(Lanes32 x, Act8Block* out) {
  const float largest = maxLane(maximum(absolute(x.front), absolute(x.back)));
  // x * 0 is 0, or NaN for what is not finite; a maximum would lose it.
  const float poison = sumLanes(mulAdd(x.back, zeroF(), mul(x.front, zeroF())));
  const float scale = largest / 127.0f + poison;
  if (!(poison == 0)) {  // no number to round, and none is left
    encodeBlock({zeroF(), zeroF()}, scale, 0, out);
    return {zeroF(), zeroF()};
  }
  return encodeBlock(x, scale, largest > kLeast ? 127.0f / largest : 0.0f, out);
}

// Keeps the indices of the `count` blocks with the largest scales (of equal ones the first), in ascending order.
inline void coarsest(const Act8Block* blocks, int64_t number, Act8Rest* rests, int64_t count) {
  for (int64_t i = 0; i < count; ++i) rests[i].index = static_cast<int32_t>(i);
  int64_t least = -1;  // place of the smallest kept, the last of equal ones; -1 = not known
  for (int64_t i = count; i < number; ++i) {
    if (least < 0) {
      least = 0;
      for (int64_t j = 1; j < count; ++j) {
        if (blocks[rests[j].index].scale <= blocks[rests[least].index].scale) least = j;
      }
    }
    if (!(blocks[i].scale > blocks[rests[least].index].scale)) continue;
    for (; least + 1 < count; ++least) rests[least].index = rests[least + 1].index;
    rests[count - 1].index = static_cast<int32_t>(i);
    least = -1;
  }
}

}  // namespace

void encode8(const float* x, int64_t columns, Act8Block* out) {
  const Act8Row row(columns);
  for (int64_t i = 0; i < row.blocks; ++i) encodeCoarse(loadBlock(x + i * kActBlock, columns - i * kActBlock), out + i);
  auto* rests = reinterpret_cast<Act8Rest*>(out + row.blocks);
  coarsest(out, row.blocks, rests, row.rests);
  for (int64_t j = 0; j < row.rests; ++j) {
    // The coarse rounding again, for what it leaves: at most half a scale, so that 254 times finer steps fit int8.
    Act8Block coarse;
    const int64_t at = int64_t{rests[j].index} * kActBlock;
    const Lanes32 left = encodeCoarse(loadBlock(x + at, columns - at), &coarse);
    const float scale = coarse.scale / 254.0f;
    const float inverse = coarse.scale > kLeast / 127.0f ? 1.0f / scale : 0.0f;
    encodeBlock(left, scale, inverse, &rests[j].block);
  }
}

void encodeBf16(const float* x, int64_t columns, uint16_t* out) {
  for (int64_t i = 0; i < columns; ++i) out[i] = floatToBf16(x[i]);
  if (columns % 2 != 0) out[columns] = 0;
}

}  // namespace td::TD_ISA
