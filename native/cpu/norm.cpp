// RMSNorm: out = x / sqrt(mean(x^2) + epsilon) * weight. The squares are summed in 16 lanes (element i in lane i mod
// 16), then across.
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

void rmsNorm(const float* x, const float* weight, int64_t columns, float epsilon, float* out) {
  F32x16 squares = zeroF();
  const int64_t whole = columns / 16 * 16;
  const int rest = static_cast<int>(columns - whole);
  for (int64_t i = 0; i < whole; i += 16) {
    const F32x16 v = load(x + i);
    squares = mulAdd(v, v, squares);
  }
  if (rest > 0) {
    const F32x16 v = loadFirst(x + whole, rest);
    squares = mulAdd(v, v, squares);
  }
  const float mean = sumLanes(squares) / static_cast<float>(columns);
  // Squares that overflow would make the factor 0 and the row vanish: mean - mean is 0, or NaN for what is not finite.
  const F32x16 factor = broadcast(1.0f / std::sqrt(mean + epsilon) + (mean - mean));
  for (int64_t i = 0; i < whole; i += 16) store(out + i, mul(mul(load(x + i), factor), load(weight + i)));
  if (rest > 0)
    storeFirst(out + whole, mul(mul(loadFirst(x + whole, rest), factor), loadFirst(weight + whole, rest)), rest);
}

}  // namespace td::TD_ISA
