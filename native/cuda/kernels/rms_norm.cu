// RMSNorm, with the residual's addition before it: h = x + residual, out = h / sqrt(mean(h^2) + epsilon) * weight.
//
// A block per row. Each thread sums the squares of every 256th element; a butterfly of shuffles sums a warp's, and
// every warp sums those of all warps for itself, which saves the barrier to hand the result round. The order of
// summation is that of the block's size, which is always the same.
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr unsigned kAll = 0xffffffff;

__device__ __forceinline__ float sumOfWarp(float value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAll, value, distance);
  return value;
}

}  // namespace

__global__ void __launch_bounds__(kThreads)
    rmsNormKernel(Global<const float> x, Global<const float> residual, Global<const float> weight, Global<float> sum,
                  Global<float> out, int columns, float epsilon) {
  TD_SHARED(float, partial, kWarps);
  const ptrdiff_t row = static_cast<ptrdiff_t>(blockIdx.x) * columns;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;

  // A thread reads again what it has written itself, and nobody else does.
  float squares = 0;
  for (int i = thread; i < columns; i += kThreads) {
    float h = x[row + i];
    if (residual) {
      h += residual[row + i];
      sum[row + i] = h;
    }
    squares = fmaf(h, h, squares);
  }
  squares = sumOfWarp(squares);
  if (lane == 0) partial[thread / 32] = squares;
  __syncthreads();
  const float mean = sumOfWarp(lane < kWarps ? static_cast<float>(partial[lane]) : 0.0f) / static_cast<float>(columns);

  // Squares that overflow would make the factor 0 and the row vanish: mean - mean is 0, or NaN for what is not finite.
  const float factor = 1.0f / sqrtf(mean + epsilon) + (mean - mean);
  for (int i = thread; i < columns; i += kThreads) {
    float h;
    if (residual) {
      h = sum[row + i];
    } else {
      h = x[row + i];
    }
    out[row + i] = h * factor * weight[i];
  }
}

DeviceError rmsNorm(void* stream, const RmsNormCall& call) {
  if (call.rows == 0) return {};
  return launch<rmsNormKernel>(static_cast<unsigned>(call.rows), kThreads, 0, static_cast<StreamRef>(stream), call.x,
                               call.residual, call.weight, call.sum, call.out, static_cast<int>(call.columns),
                               call.epsilon);
}

}  // namespace td::TD_VIEWS
