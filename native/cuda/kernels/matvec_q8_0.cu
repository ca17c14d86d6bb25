// Weights in Q8_0 times a few tokens: y = sum over blocks k of (integer dot product) * (weight scale * token's scale).
//
// A block of threads takes a group of 16 rows: lane r of each half-warp is row r, so that a half-warp reads a tile's 64
// bytes of four columns at once, and 544 contiguous bytes in all. The 8 half-warps take every 8th tile; what they have
// summed is added in their order. Nothing in that order knows how many tokens there are.
//
//   tile of 16 rows by 32 columns:  scale[16] as half | for each four columns: int8 [16 rows][4]
#include "core/activation.h"
#include "core/tiles.h"
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 128, kParts = kThreads / kTileRows;
constexpr int kScaleBytes = 2 * kTileRows, kQuadBytes = 4 * kTileRows, kTile = 34 * kTileRows;
constexpr int kActBytes = sizeof(Act8Block), kRestBytes = sizeof(Act8Rest);

using Bytes = Global<const unsigned char>;

// The eight times four weights of one row in a tile.
struct Weights {
  int quads[8];
  float scale;

  __device__ __forceinline__ Weights(Bytes weights, ptrdiff_t tile, int row) {
    scale = __half2float(loadAs<__half>(weights, tile + 2 * row));
#pragma unroll
    for (int i = 0; i < 8; ++i) quads[i] = loadAs<int>(weights, tile + kScaleBytes + kQuadBytes * i + 4 * row);
  }

  // Adds their product with a block of a token.
  __device__ __forceinline__ float addTo(float sum, Bytes x, ptrdiff_t block) const {
    const int4 first = loadAs<int4>(x, block), last = loadAs<int4>(x, block + 16);
    int dot = __dp4a(quads[0], first.x, 0);
    dot = __dp4a(quads[1], first.y, dot);
    dot = __dp4a(quads[2], first.z, dot);
    dot = __dp4a(quads[3], first.w, dot);
    dot = __dp4a(quads[4], last.x, dot);
    dot = __dp4a(quads[5], last.y, dot);
    dot = __dp4a(quads[6], last.z, dot);
    dot = __dp4a(quads[7], last.w, dot);
    const float xScale = loadAs<float>(x, block + 32);
    return fmaf(static_cast<float>(dot), scale * xScale, sum);
  }
};

}  // namespace

// kTokens at a time; where there are fewer, the last is computed again, and not stored.
template <int kTokens>
__global__ void __launch_bounds__(kThreads)
    matVecQ80Kernel(Bytes weights, Bytes x, Global<const float> bias, Global<float> y, int64_t rows, int blocks,
                    int rests, int tokens, int64_t xRowBytes, int64_t yStride) {
  TD_SHARED(float, parts, kParts * kTokens * kTileRows);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kTileRows, part = thread / kTileRows;
  const int firstToken = static_cast<int>(blockIdx.y) * kTokens;
  const ptrdiff_t group = static_cast<ptrdiff_t>(blockIdx.x) * blocks * kTile;

  ptrdiff_t token[kTokens];
  float sum[kTokens];
#pragma unroll
  for (int n = 0; n < kTokens; ++n) {
    token[n] = min(firstToken + n, tokens - 1) * xRowBytes;
    sum[n] = 0;
  }
  for (int k = part; k < blocks; k += kParts) {
    const Weights w(weights, group + static_cast<ptrdiff_t>(k) * kTile, lane);
#pragma unroll
    for (int n = 0; n < kTokens; ++n) sum[n] = w.addTo(sum[n], x, token[n] + static_cast<ptrdiff_t>(k) * kActBytes);
  }
  // What rounding left over in a token's coarsest blocks.
#pragma unroll
  for (int n = 0; n < kTokens; ++n) {
    for (int j = part; j < rests; j += kParts) {
      const ptrdiff_t rest = token[n] + static_cast<ptrdiff_t>(blocks) * kActBytes + j * kRestBytes;
      const int k = loadAs<int>(x, rest + kActBytes);
      sum[n] = Weights(weights, group + static_cast<ptrdiff_t>(k) * kTile, lane).addTo(sum[n], x, rest);
    }
    parts[(part * kTokens + n) * kTileRows + lane] = sum[n];
  }
  __syncthreads();

  for (int i = thread; i < kTokens * kTileRows; i += kThreads) {
    const int n = i / kTileRows;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * kTileRows + i % kTileRows;
    if (row >= rows || firstToken + n >= tokens) continue;
    float all = parts[i];
    for (int p = 1; p < kParts; ++p) all += parts[p * kTokens * kTileRows + i];
    if (bias) all += bias[row];
    y[(firstToken + n) * yStride + row] = all;
  }
}

namespace {

template <int kTokens>
DeviceError launchFor(void* stream, const MatVecCall& call) {
  const Act8Row row(call.columns);
  const dim3 grid(static_cast<unsigned>(rowGroups(call.rows)),
                  static_cast<unsigned>((call.tokens + kTokens - 1) / kTokens));
  return launch<matVecQ80Kernel<kTokens>>(grid, kThreads, 0, static_cast<StreamRef>(stream), call.weights, call.x,
                                          call.bias, call.y, call.rows, static_cast<int>(row.blocks),
                                          static_cast<int>(row.rests), static_cast<int>(call.tokens), call.xRowBytes,
                                          call.yStride);
}

}  // namespace

DeviceError matVecQ80(void* stream, const MatVecCall& call) {
  if (call.rows == 0 || call.tokens == 0) return {};
  if (call.tokens == 1) return launchFor<1>(stream, call);
  if (call.tokens == 2) return launchFor<2>(stream, call);
  if (call.tokens <= 4) return launchFor<4>(stream, call);
  return launchFor<8>(stream, call);
}

}  // namespace td::TD_VIEWS
