// Weights of every format times a few tokens, read once for up to eight of them: bound by memory.
//
// A block of threads takes a group of 16 rows: lane r of each half-warp is row r, and half-warp p takes segment p of
// the rows (matmul_formats.h), which is one contiguous stream of tiles. What they have summed is added in their order.
#include "cuda/kernels/launchers.h"
#include "cuda/kernels/matmul_formats.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = kParts * kTileRows;

// Adds piece k of a row, the group of which begins at weights[group], times the tokens at x[token[n]].
template <class Format, int kTokens>
__device__ __forceinline__ void addPiece(float (&sum)[kTokens], Bytes weights, ptrdiff_t group, int row, int k, Bytes x,
                                         const ptrdiff_t (&token)[kTokens]) {
  if constexpr (kQuantised<Format>) {
    constexpr int kTogether = Format::kColumns / kActBlock;
    const TileRow t{weights, group + static_cast<ptrdiff_t>(k / Format::kPieces) * Format::kTile, row};
#pragma unroll
    for (int b = 0; b < kTogether; ++b) {
      const Block<Format> block(t, k % Format::kPieces, b);
      const ptrdiff_t at = (static_cast<ptrdiff_t>(k) * kTogether + b) * kActBytes;
#pragma unroll
      for (int n = 0; n < kTokens; ++n) sum[n] = block.addTo(sum[n], x, token[n] + at);
    }
  } else {
    float w[Format::kColumns], v[Format::kColumns];
    Format::weights({weights, group + static_cast<ptrdiff_t>(k) * Format::kTile, row}, w);
#pragma unroll
    for (int n = 0; n < kTokens; ++n) {
      Format::tokens(x, token[n] + static_cast<ptrdiff_t>(k) * Format::kXBytes, v);
#pragma unroll
      for (int c = 0; c < Format::kColumns; ++c) sum[n] = fmaf(w[c], v[c], sum[n]);
    }
  }
}

// How many pieces are on their way at once.
template <class Format, int kTokens>
constexpr int kAhead = kTokens <= 2   ? Format::kAhead
                       : kTokens <= 4 ? (Format::kAhead + 1) / 2
                                      : 1;

// How many blocks of threads are to fit on a multiprocessor. Left to itself (0), the compiler wants so many that it
// loads little ahead; for few tokens that is what counts. For many of superblocks there is enough to compute meanwhile.
template <class Format, int kTokens>
constexpr int kResident = kTokens <= 2 || Format::kPieces == 1 ? 4 : 0;

}  // namespace

// kTokens at a time; where there are fewer, the last is computed again, and not stored.
template <class Format, int kTokens>
__global__ void __launch_bounds__(kThreads, (kResident<Format, kTokens>))
    matVecKernel(Bytes weights, Bytes x, Global<const float> bias, Global<float> y, int64_t rows, int64_t groupBytes,
                 int pieces, int rests, int tokens, int64_t xRowBytes, int64_t yStride) {
  TD_SHARED(float, parts, kParts * kTokens * kTileRows);
  const int thread = static_cast<int>(threadIdx.x), row = thread % kTileRows, part = thread / kTileRows;
  const int firstToken = static_cast<int>(blockIdx.y) * kTokens;
  const ptrdiff_t group = static_cast<ptrdiff_t>(blockIdx.x) * groupBytes;

  ptrdiff_t token[kTokens];
  float sum[kTokens];
#pragma unroll
  for (int n = 0; n < kTokens; ++n) {
    token[n] = min(firstToken + n, tokens - 1) * xRowBytes;
    sum[n] = 0;
  }
  const int end = segmentStart(part + 1, pieces);
#pragma unroll(kAhead<Format, kTokens>)
  for (int k = segmentStart(part, pieces); k < end; ++k) {
    addPiece<Format>(sum, weights, group, row, k, x, token);
  }
#pragma unroll
  for (int n = 0; n < kTokens; ++n) parts[(part * kTokens + n) * kTileRows + row] = sum[n];
  if constexpr (kQuantised<Format>) {
    // Token by token, each thread on its own sums: few terms, so that less code is worth more than registers.
    const int firstRest = segmentStart(part, rests), endOfRests = segmentStart(part + 1, rests);
    const ptrdiff_t restsAt = static_cast<ptrdiff_t>(pieces) * (Format::kColumns / kActBlock) * kActBytes;
#pragma unroll 1
    for (int n = 0; n < kTokens; ++n) {
      const int at = (part * kTokens + n) * kTileRows + row;
      const ptrdiff_t first = min(firstToken + n, tokens - 1) * xRowBytes + restsAt;
      float more = parts[at];
#pragma unroll 1
      for (int j = firstRest; j < endOfRests; ++j) {
        more = addRest<Format>(more, weights, group, row, x, first + j * kRestBytes);
      }
      parts[at] = more;
    }
  }
  __syncthreads();

  for (int i = thread; i < kTokens * kTileRows; i += kThreads) {
    const int n = i / kTileRows;
    const int64_t outRow = static_cast<int64_t>(blockIdx.x) * kTileRows + i % kTileRows;
    if (outRow >= rows || firstToken + n >= tokens) continue;
    float all = 0;
    for (int p = 0; p < kParts; ++p) all += parts[p * kTokens * kTileRows + i];
    if (bias) all += bias[outRow];
    y[(firstToken + n) * yStride + outRow] = all;
  }
}

namespace {

template <class Format, int kTokens>
DeviceError launchFor(void* stream, const MatMulCall& call) {
  const int pieces = piecesOf<Format>(call.columns);
  const dim3 grid(static_cast<unsigned>(rowGroups(call.rows)),
                  static_cast<unsigned>((call.tokens + kTokens - 1) / kTokens));
  return launch<matVecKernel<Format, kTokens>>(grid, kThreads, 0, static_cast<StreamRef>(stream), call.weights, call.x,
                                               call.bias, call.y, call.rows, groupBytes<Format>(call.columns), pieces,
                                               static_cast<int>(Act8Row(call.columns).rests),
                                               static_cast<int>(call.tokens), call.xRowBytes, call.yStride);
}

struct MatVec {
  template <class Format>
  static DeviceError run(void* stream, const MatMulCall& call) {
    if (call.tokens == 1) return launchFor<Format, 1>(stream, call);
    if (call.tokens == 2) return launchFor<Format, 2>(stream, call);
    if (call.tokens <= 4) return launchFor<Format, 4>(stream, call);
    return launchFor<Format, 8>(stream, call);
  }
};

}  // namespace

DeviceError matVec(void* stream, const MatMulCall& call) {
  return byFormat<MatVec>(stream, call);
}

}  // namespace td::TD_VIEWS
