// What works element by element: rotary embedding, gated activation, addition, division.
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

namespace {

template <class Vectors>
inline void each(int64_t count, Vectors vectors) {
  const int64_t whole = count / 16 * 16;
  for (int64_t i = 0; i < whole; i += 16) vectors(i, 16);
  if (whole < count) vectors(whole, static_cast<int>(count - whole));
}

// Pairs of neighbours, as the angles are: one loop over both.
inline void ropeNeighbours(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs) {
  each(2 * pairs, [&](int64_t i, int n) {
    const F32x16 angle = loadFirst(angles + i, n), cosines = evenTwice(angle), sines = oddTwice(angle);
    for (int64_t head = 0; head < heads; ++head) {
      float* at = x + head * headSize + i;
      const F32x16 pair = loadFirst(at, n);
      storeFirst(at, subAdd(mul(pair, cosines), mul(swapNeighbours(pair), sines)), n);
    }
  });
}

// Pairs of elements `pairs` apart: compilers make vectors of this.
inline void ropeHalves(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs) {
  for (int64_t head = 0; head < heads; ++head, x += headSize) {
    for (int64_t i = 0; i < pairs; ++i) {
      const float cosine = angles[2 * i], sine = angles[2 * i + 1], a = x[i], b = x[pairs + i];
      x[i] = a * cosine - b * sine;
      x[pairs + i] = a * sine + b * cosine;
    }
  }
}

}  // namespace

// (a, b) -> (a cos - b sin, a sin + b cos), for the pairs of each head; the elements behind them stay.
void rope(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs, td_rope_layout layout) {
  (layout == TD_ROPE_NORM ? ropeNeighbours : ropeHalves)(x, heads, headSize, angles, pairs);
}

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
