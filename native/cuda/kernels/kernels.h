// The kernels for GPUs, as a table for each way of compiling them: for the emulated device with raw views and with
// checked ones (views.h), and for CUDA. Each function puts one operation into a stream and returns. Matrices are
// row-major; counts are of elements.
#pragma once

#include <cstdint>

#include "cuda/device_span.h"
#include "cuda/gpu.h"
#include "tandem.h"

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

// What matMul wants its tokens encoded as, for weights of this type.
inline td_type activationTypeFor(int32_t weights) {
  switch (weights) {
    case TD_F32:
    case TD_F16:
      return TD_F32;
    case TD_BF16:
      return TD_ACTBF16;
    default:
      return TD_ACT8;
  }
}

// y[token][row] = weights[row] . x[token] (+ bias[row]): weights in tiles (core/tiles.h). A token's results do not
// depend on how many others there are: matmul_formats.h has the order of summation.
struct MatMulCall {
  ReadOnlySpan<unsigned char> weights;
  DeviceSpan<const unsigned char> x;  // TD_F32 for F32 and F16, TD_ACTBF16 for BF16, else TD_ACT8 (core/activation.h)
  ReadOnlySpan<float> bias;           // may be empty
  DeviceSpan<float> y;
  int32_t type;  // td_type of the weights
  int64_t rows, columns, tokens;
  int64_t xRowBytes;  // from token to token: divisible by 16 for TD_ACT8, by 4 otherwise
  int64_t yStride;    // floats from token to token
};

// ---- Attention and what surrounds it. What indices lead out of range is never followed: nothing is stored for such a
// token, and what is computed of it is NaN, which td_op_select finds.

// angles[token] = cos and sin of positions[token] * frequencies[i], as pairs.
struct RopeAnglesCall {
  DeviceSpan<const int> positions;
  ReadOnlySpan<double> frequencies;
  DeviceSpan<float> angles;
  int64_t tokens;
};

// Rotates the first 2 * pairs elements of every head of x [tokens][heads][headSize], in place.
struct RopeCall {
  DeviceSpan<float> x;
  DeviceSpan<const float> angles;  // [tokens][pairs][2]
  int64_t tokens;
  int heads, headSize, pairs;
  td_rope_layout layout;
};

// The tokens of a step as the paged cache sees them (core/kv_layout.h): token r has position positions[r] of the
// sequence whose block table is blocks[tables[r]], blocks[tables[r] + 1], ...
struct PagedTokens {
  DeviceSpan<const int> positions, tables, blocks;
  int64_t tokens;
};

// A layer of the cache. Attention may read what nobody has stored of a block of 16 positions that is in use, and makes
// nothing of it: the pool is to be filled once, with anything.
struct PagedLayer {
  DeviceSpan<uint16_t> pool;
  int64_t blockElements, layerElement;  // of a block of the pool, and the layer's place in it: divisible by 16
  int kvHeads, headSize;
};

// k, v: [tokens][kvHeads][headSize], to the cache as f16.
struct StoreKvCall {
  DeviceSpan<const float> k, v;
  PagedTokens tokens;
  PagedLayer layer;
};

// rope() of q and k, and storeKv(), at once.
struct RopeStoreKvCall {
  DeviceSpan<float> q, k;  // [tokens][heads or kvHeads][headSize]
  DeviceSpan<const float> v, angles;
  PagedTokens tokens;
  PagedLayer layer;
  int heads, pairs;
  td_rope_layout layout;
};

// Causal attention: q, out: [tokens][heads][headSize]; head h reads KV head h / (heads / kvHeads). headSize: divisible
// by 4, up to 256.
struct AttentionCall {
  DeviceSpan<const float> q;
  DeviceSpan<float> out;
  PagedTokens tokens;
  PagedLayer layer;
  int heads;
  int64_t mostPositions;  // no token's position is so high
  float scale;
  // Room for results of pieces: as many times attentionWorkFloats() as tokens are to be computed at once where there
  // are few of them. Without, whatever is long takes long; the result is the same.
  DeviceSpan<float> work;
};

// For a token.
inline int64_t attentionWorkFloats(int heads, int headSize, int64_t mostPositions) {
  return int64_t{heads} * ((mostPositions + TD_ATTENTION_PIECE - 1) / TD_ATTENTION_PIECE) * (headSize + 2);
}

// ---- Rows. An index out of range gives a row of NaN.

// out[r] = table[ids[r]], decoded: [rows, columns] of a weight type, in a layout (core/tiles.h).
struct EmbeddingCall {
  ReadOnlySpan<unsigned char> table;
  DeviceSpan<const int> ids;
  DeviceSpan<float> out;  // [ids.count][columns]
  int32_t type;           // td_type
  td_layout layout;
  int64_t rows, columns;
};

// out[r] = x[indices[r]].
struct GatherCall {
  DeviceSpan<const float> x;
  DeviceSpan<const int> indices;
  DeviceSpan<float> out;  // [indices.count][columns]
  int64_t columns;
};

// out = x.
struct CopyCall {
  DeviceSpan<const unsigned char> x;
  DeviceSpan<unsigned char> out;
};

// ---- Activations, and the end of a step.

// out[r] = x[r] as TD_ACT8 or TD_ACTBF16 (core/activation.h), rows without gaps; out: at a multiple of 4 bytes.
struct EncodeCall {
  DeviceSpan<const float> x;
  DeviceSpan<unsigned char> out;  // [rows][activationRowBytes(type, columns)]
  int64_t rows, columns;
  int32_t type;
};

// Penalties and biases, in place, as td_op_adjust() has them. The host looks at counts and ids where it can: here
// counts are cut to the places that there are, ids out of range change nothing, and an impossible factor or addend
// makes its logit NaN.
struct AdjustCall {
  DeviceSpan<float> logits;      // [rows][vocabulary]
  DeviceSpan<const int> counts;  // [rows]
  DeviceSpan<const int> ids;     // [rows][places], as factors and addends
  DeviceSpan<const float> factors, addends;
  int64_t rows, vocabulary, places;
};

// Of each row of logits the best candidates in order, and the logarithm of the sum of all exponentials, as
// td_op_select() has them. A row with a logit that is not finite gets logSum NaN, ids -1 and values NaN.
struct SelectCall {
  DeviceSpan<const float> logits;  // [rows][vocabulary]
  DeviceSpan<int> ids;             // [rows][candidates]
  DeviceSpan<float> values;        // [rows][candidates]
  DeviceSpan<float> logSums;       // [rows]
  DeviceSpan<unsigned char> work;  // selectWorkBytes() or more, at a multiple of 8
  int64_t rows, vocabulary, candidates;
};

// A block of threads looks at so many logits; their best and their sum are joined after that.
constexpr int kSelectPart = 4096;

inline int64_t selectParts(int64_t vocabulary) {
  return (vocabulary + kSelectPart - 1) / kSelectPart;
}

// For every part its largest logit and sum (f32 each), and its candidates (u64).
inline int64_t selectWorkBytes(int64_t rows, int64_t vocabulary) {
  return rows * selectParts(vocabulary) * (8 + 8 * TD_MAX_CANDIDATES);
}

// A library's, as it gives them to others (gpu.h): a failure's message is the table's. The stream is what
// td_gpu_table::kernel_stream() says.
struct GpuKernels {
  td_gpu_status (*rmsNorm)(void* stream, const RmsNormCall&);
  td_gpu_status (*siluTimes)(void* stream, const ElementwiseCall&);  // x / (1 + e^-x) * y
  td_gpu_status (*add)(void* stream, const ElementwiseCall&);
  td_gpu_status (*matMul)(void* stream, const MatMulCall&);
  td_gpu_status (*ropeAngles)(void* stream, const RopeAnglesCall&);
  td_gpu_status (*rope)(void* stream, const RopeCall&);
  td_gpu_status (*storeKv)(void* stream, const StoreKvCall&);
  td_gpu_status (*ropeStoreKv)(void* stream, const RopeStoreKvCall&);
  td_gpu_status (*attention)(void* stream, const AttentionCall&);
  td_gpu_status (*embedding)(void* stream, const EmbeddingCall&);
  td_gpu_status (*gatherRows)(void* stream, const GatherCall&);
  td_gpu_status (*copyBytes)(void* stream, const CopyCall&);
  td_gpu_status (*encode)(void* stream, const EncodeCall&);
  td_gpu_status (*adjust)(void* stream, const AdjustCall&);
  td_gpu_status (*select)(void* stream, const SelectCall&);
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
