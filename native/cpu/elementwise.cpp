// What works element by element: rotary embedding, gated activation, addition, division.
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

// (a, b) -> (a cos - b sin, a sin + b cos), for the pairs of each head; the elements behind them stay.
void rope(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs, td_rope_layout layout) {
  const int64_t step = layout == TD_ROPE_NORM ? 2 : 1;
  const int64_t apart = layout == TD_ROPE_NORM ? 1 : pairs;
  for (int64_t head = 0; head < heads; ++head, x += headSize) {
    for (int64_t i = 0; i < pairs; ++i) {
      const float cosine = angles[2 * i], sine = angles[2 * i + 1];
      float* a = x + i * step;
      float* b = a + apart;
      const float rotated = *a * cosine - *b * sine;
      *b = *a * sine + *b * cosine;
      *a = rotated;
    }
  }
}

namespace {

template <class Vectors>
inline void each(int64_t count, Vectors vectors) {
  const int64_t whole = count / 16 * 16;
  for (int64_t i = 0; i < whole; i += 16) vectors(i, 16);
  if (whole < count) vectors(whole, static_cast<int>(count - whole));
}

}  // namespace

// out = x / (1 + e^-x) * y
void silu(const float* x, const float* y, float* out, int64_t count) {
  each(count, [&](int64_t i, int n) {
    const F32x16 v = loadFirst(x + i, n);
    const F32x16 gate = div(v, add(broadcast(1.0f), exponential(sub(zeroF(), v))));
    storeFirst(out + i, mul(gate, loadFirst(y + i, n)), n);
  });
}

void add(const float* x, const float* y, float* out, int64_t count) {
  each(count, [&](int64_t i, int n) { storeFirst(out + i, add(loadFirst(x + i, n), loadFirst(y + i, n)), n); });
}

void divide(float* out, const float* x, float divisor, int64_t count) {
  each(count, [&](int64_t i, int n) { storeFirst(out + i, div(loadFirst(x + i, n), broadcast(divisor)), n); });
}

}  // namespace td::TD_ISA
