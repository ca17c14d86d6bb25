// The kernels for GPUs, as a table for each way of compiling them: for the emulated device with raw views and with
// checked ones (views.h), and for CUDA. Each function puts one operation into a stream and returns. Matrices are
// row-major; counts are of elements.
#pragma once

#include <cstdint>

#include "cuda/device_error.h"
#include "cuda/device_span.h"

namespace td {

// out = h / sqrt(mean(h^2) + epsilon) * weight, row by row, for h = x, or h = x + residual where there is one; then
// `sum` is h. x, residual and out may be the same memory, or sum and any of them.
struct RmsNormCall {
  DeviceSpan<const float> x, residual;
  ReadOnlySpan<float> weight;
  DeviceSpan<float> sum, out;
  int64_t rows, columns;
  float epsilon;
};

// out = x op y, element by element; out may be x or y.
struct ElementwiseCall {
  DeviceSpan<const float> x, y;
  DeviceSpan<float> out;
};

// y[token][row] = weights[row] . x[token] (+ bias[row]): weights in tiles (core/tiles.h), tokens as TD_ACT8
// (core/activation.h). A token's results do not depend on how many others there are.
struct MatVecCall {
  ReadOnlySpan<unsigned char> weights;
  DeviceSpan<const unsigned char> x;
  ReadOnlySpan<float> bias;  // may be empty
  DeviceSpan<float> y;
  int64_t rows, columns, tokens;
  int64_t xRowBytes;  // from token to token, divisible by 16
  int64_t yStride;    // floats from token to token
};

struct GpuKernels {
  DeviceError (*rmsNorm)(void* stream, const RmsNormCall&);
  DeviceError (*siluTimes)(void* stream, const ElementwiseCall&);  // x / (1 + e^-x) * y
  DeviceError (*add)(void* stream, const ElementwiseCall&);
  DeviceError (*matVecQ80)(void* stream, const MatVecCall&);
};

namespace raw {
extern const GpuKernels gpuKernels;
}
namespace checked {
extern const GpuKernels gpuKernels;
}
namespace cuda {
extern const GpuKernels gpuKernels;
}

}  // namespace td
