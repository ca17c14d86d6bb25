// The rotation of a head's elements by a token's angles: (a, b) -> (a cos - b sin, a sin + b cos), for `pairs` pairs,
// of neighbours or of elements `pairs` apart; the elements behind them stay.
#pragma once

#include "cuda/views.h"
#include "tandem.h"

namespace td::TD_VIEWS {

struct Rotation {
  int pairs;
  bool neighbours;

  Rotation(int pairs, td_rope_layout layout) : pairs(pairs), neighbours(layout == TD_ROPE_NORM) {}

  // Where the first and the second element of a pair lie in a head.
  __device__ __forceinline__ int first(int pair) const { return neighbours ? 2 * pair : pair; }
  __device__ __forceinline__ int second(int pair) const { return neighbours ? 2 * pair + 1 : pairs + pair; }

  // The rotated pair.
  static __device__ __forceinline__ float2 of(float a, float b, float2 angle) {
    return make_float2(a * angle.x - b * angle.y, a * angle.y + b * angle.x);
  }

  // Rotates a pair in place.
  __device__ __forceinline__ void rotate(Global<float> x, ptrdiff_t head, int pair, Global<const float> angles,
                                         ptrdiff_t angle) const {
    const ptrdiff_t a = head + first(pair), b = head + second(pair);
    const float2 both = of(x[a], x[b], loadAs<float2>(angles, angle + 2 * pair));
    x[a] = both.x;
    x[b] = both.y;
  }
};

}  // namespace td::TD_VIEWS
