// Weights of every format times many tokens.
//
// A block of threads makes 64 rows by 64 tokens, a thread 4 by 4 of them: row r of each of the four groups of 16, and
// four tokens that lie side by side. It walks the columns in stages: all threads bring a stage's weights, unpacked, and
// tokens into shared memory, and each takes from there what it needs. A stage never crosses the end of a segment
// (matmul_formats.h), so that the order of summation is that of matvec.cu, and the bits are the same.
//
//   shared memory, [column or four of them]:  weights [16 rows][4 groups] | tokens [64]
//
// so that a thread reads 16 bytes of each, and writing has no two lanes in one bank either. There are two such stages:
// while some threads still read one, others write the next, and one barrier for each stage is enough. What threads
// compute, and what they do not if there are fewer tokens, is for a warp as a whole: eight tokens.
#include "cuda/kernels/launchers.h"
#include "cuda/kernels/matmul_formats.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kGroups = 4, kRows = kGroups * kTileRows;  // of a block of threads
constexpr int kTokens = 64, kTokensEach = 4;
constexpr int kThreads = kTileRows * kTokens / kTokensEach;
// Up to here weights are read once for every eight tokens: most warps here would have no tokens to compute, and few
// blocks of them would wait for the memory in turn. Reckoned (docs/benchmarks/gpu.md), not measured.
constexpr int64_t kFewTokens = 16;

// By group of rows and token.
template <class T>
using Outputs = T[kGroups][kTokensEach];

__device__ __forceinline__ void spread(int4 from, int (&to)[4]) {
  to[0] = from.x;
  to[1] = from.y;
  to[2] = from.z;
  to[3] = from.w;
}
__device__ __forceinline__ void spread(float4 from, float (&to)[4]) {
  to[0] = from.x;
  to[1] = from.y;
  to[2] = from.z;
  to[3] = from.w;
}

// What a block of threads multiplies.
struct Operands {
  Bytes weights, x;
  int64_t groupBytes, xRowBytes;
  int firstGroup, lastGroup;  // the last one of all: what lies behind it is computed as that is, and not stored
  int firstToken, lastToken;

  // Where a group of rows and a token begin.
  __device__ __forceinline__ ptrdiff_t group(int i) const { return min(firstGroup + i, lastGroup) * groupBytes; }
  __device__ __forceinline__ ptrdiff_t token(int i) const { return min(firstToken + i, lastToken) * xRowBytes; }
};

// ---- Stages of quantised formats: 64 columns, as int8.

// The inner product: adds those of `kQuads` times four columns.
template <int kQuads>
__device__ __forceinline__ void addProducts(Outputs<int>& dots, Shared<int> weights, Shared<int> tokens) {
#pragma unroll(kQuads < 8 ? 2 : 8)  // where there are two such sums, registers are scarce
  for (int q = 0; q < kQuads; ++q) {
    int w[kGroups], x[kTokensEach];
    spread(loadAs<int4>(weights, q * kRows), w);
    spread(loadAs<int4>(tokens, q * kTokens), x);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
#pragma unroll
      for (int n = 0; n < kTokensEach; ++n) dots[g][n] = __dp4a(w[g], x[n], dots[g][n]);
    }
  }
}

template <class F>
struct QuantisedStage {
  using Format = F;
  static constexpr int kSteps = 2;  // blocks of 32 columns
  static constexpr int kStepsOfPiece = F::kColumns / kActBlock;
  static constexpr int kTokensAt = kSteps * 8 * kRows;  // words
  static constexpr int kFactorsAt = kTokensAt + kSteps * 8 * kTokens;
  static constexpr int kScalesAt = kFactorsAt + kSteps * F::kFactors * kRows;
  static constexpr int kWords = kScalesAt + kSteps * 2 * kTokens;

  static __device__ __forceinline__ TileRow tile(const Operands& from, int group, int row, int step) {
    return {from.weights, from.group(group) + static_cast<ptrdiff_t>(step / (kStepsOfPiece * F::kPieces)) * F::kTile,
            row};
  }
  static __device__ __forceinline__ int piece(int step) { return step / kStepsOfPiece % F::kPieces; }

  // Four weights as signed bytes.
  static __device__ __forceinline__ int lowered(int quad) {
    if constexpr (F::kRaised == 0) return quad;
    return static_cast<int>((static_cast<unsigned>(quad) + 0x01010101u * (128 - F::kRaised)) ^ 0x80808080u);
  }

  static __device__ __forceinline__ void load(const Operands& from, Shared<int> to, int thread, int first, int steps) {
    const int quad = thread / kTileRows, row = thread % kTileRows, step = first + quad / 8;
    if (quad / 8 < steps) {
      const auto weights = [&](int g) {
        return lowered(F::quad(tile(from, g, row, step), piece(step), step % kStepsOfPiece, quad % 8));
      };
      storeAs(to, quad * kRows + row * kGroups, make_int4(weights(0), weights(1), weights(2), weights(3)));
    }
    const int token = thread % kTokens, half = thread / kTokens;  // 16 columns
    if (half / 2 < steps) {
      int x[4];
      spread(loadAs<int4>(from.x, from.token(token) + static_cast<ptrdiff_t>(first) * kActBytes + half / 2 * kActBytes +
                                      half % 2 * 16),
             x);
#pragma unroll
      for (int i = 0; i < 4; ++i) to[kTokensAt + (4 * half + i) * kTokens + token] = x[i];
    }
    loadFactors(from, to, thread, first, steps);
  }

  static __device__ __forceinline__ void multiply(Shared<int> stage, int row, int token, int steps,
                                                  Outputs<float>& sum) {
#pragma unroll 1
    for (int s = 0; s < steps; ++s) {
      const Shared<int> weights = stage + (s * 8 * kRows + row * kGroups),
                        tokens = stage + (kTokensAt + s * 8 * kTokens + token);
      Outputs<int> front = {}, back = {};
      if constexpr (F::kFactors == 3) {
        addProducts<4>(front, weights, tokens);
        addProducts<4>(back, weights + 4 * kRows, tokens + 4 * kTokens);
      } else {
        addProducts<8>(front, weights, tokens);
      }
      float factors[F::kFactors][kGroups], scales[kTokensEach], sums[kTokensEach];
#pragma unroll
      for (int f = 0; f < F::kFactors; ++f) {
        spread(loadAs<float4>(stage, kFactorsAt + (s * F::kFactors + f) * kRows + row * kGroups), factors[f]);
      }
      spread(loadAs<float4>(stage, kScalesAt + 2 * s * kTokens + token), scales);
      spread(loadAs<float4>(stage, kScalesAt + (2 * s + 1) * kTokens + token), sums);
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        float ofGroup[F::kFactors];
#pragma unroll
        for (int f = 0; f < F::kFactors; ++f) ofGroup[f] = factors[f][g];
#pragma unroll
        for (int n = 0; n < kTokensEach; ++n) {
          sum[g][n] = addTerms(sum[g][n], front[g][n], back[g][n], ofGroup, scales[n], sums[n]);
        }
      }
    }
  }

  // The rests of a segment, whose blocks are others for each token: straight from global memory. Token by token: the
  // sums of the next one take the place of those of the first, so that there is code, and registers, for one.
  static __device__ __forceinline__ void addRests(const Operands& from, int row, int token, int64_t restsAt, int first,
                                                  int end, Outputs<float>& sum) {
#pragma unroll 1
    for (int n = 0; n < kTokensEach; ++n) {
      const ptrdiff_t rests = from.token(token + n) + restsAt;
#pragma unroll 1
      for (int j = first; j < end; ++j) {
#pragma unroll
        for (int g = 0; g < kGroups; ++g) {
          sum[g][0] = addRest<F>(sum[g][0], from.weights, from.group(g), row, from.x, rests + j * kRestBytes);
        }
      }
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        const float done = sum[g][0];
#pragma unroll
        for (int i = 1; i < kTokensEach; ++i) sum[g][i - 1] = sum[g][i];
        sum[g][kTokensEach - 1] = done;
      }
    }
  }

 private:
  static __device__ __forceinline__ void loadFactors(const Operands& from, Shared<int> to, int thread, int first,
                                                     int steps) {
    static_assert(kThreads == kSteps * (kRows + kTokens), "each thread brings those of a row or of a token");
    const int s = thread / kRows % kSteps, step = first + s;
    if (s >= steps) return;
    if (thread < kSteps * kRows) {
      const int row = thread / kGroups % kTileRows, group = thread % kGroups;
      float factors[F::kFactors];
      F::factors(tile(from, group, row, step), piece(step), step % kStepsOfPiece, factors);
#pragma unroll
      for (int f = 0; f < F::kFactors; ++f) {
        storeAs(to, kFactorsAt + (s * F::kFactors + f) * kRows + row * kGroups + group, factors[f]);
      }
    } else {
      const int token = thread % kTokens;
      const ptrdiff_t block = from.token(token) + static_cast<ptrdiff_t>(step) * kActBytes;
      storeAs(to, kScalesAt + 2 * s * kTokens + token, loadAs<float>(from.x, block + 32));
      storeAs(to, kScalesAt + (2 * s + 1) * kTokens + token, loadAs<float>(from.x, block + 36));
    }
  }
};

// ---- Stages of formats of floats: 16 columns.

template <class F>
struct FloatStage {
  using Format = F;
  static constexpr int kColumns = 16, kSteps = kColumns / F::kColumns;  // pieces
  static constexpr int kStepsOfPiece = 1;
  static constexpr int kTokensAt = kColumns * kRows;  // words
  static constexpr int kWords = kTokensAt + kColumns * kTokens;

  static __device__ __forceinline__ void load(const Operands& from, Shared<int> to, int thread, int first, int steps) {
    const int row = thread % kTileRows, s = thread / kTileRows;
    if (s < min(steps, kSteps)) {
      float w[kGroups][F::kColumns];
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        F::weights({from.weights, from.group(g) + static_cast<ptrdiff_t>(first + s) * F::kTile, row}, w[g]);
      }
#pragma unroll
      for (int c = 0; c < F::kColumns; ++c) {
        storeAs(to, (s * F::kColumns + c) * kRows + row * kGroups, make_float4(w[0][c], w[1][c], w[2][c], w[3][c]));
      }
    }
    const int token = thread % kTokens, quarter = thread / kTokens;
    const ptrdiff_t x = from.token(token) + static_cast<ptrdiff_t>(first) * F::kXBytes;
#pragma unroll
    for (int i = 0; i < kSteps / 4; ++i) {
      const int at = quarter * (kSteps / 4) + i;
      if (at >= steps) continue;
      float values[F::kColumns];
      F::tokens(from.x, x + at * F::kXBytes, values);
#pragma unroll
      for (int c = 0; c < F::kColumns; ++c) {
        storeAs(to, kTokensAt + (at * F::kColumns + c) * kTokens + token, values[c]);
      }
    }
  }

  static __device__ __forceinline__ void multiply(Shared<int> stage, int row, int token, int steps,
                                                  Outputs<float>& sum) {
#pragma unroll 4
    for (int c = 0; c < steps * F::kColumns; ++c) {
      float w[kGroups], x[kTokensEach];
      spread(loadAs<float4>(stage, c * kRows + row * kGroups), w);
      spread(loadAs<float4>(stage, kTokensAt + c * kTokens + token), x);
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
#pragma unroll
        for (int n = 0; n < kTokensEach; ++n) sum[g][n] = fmaf(w[g], x[n], sum[g][n]);
      }
    }
  }

  static __device__ __forceinline__ void addRests(const Operands&, int, int, int64_t, int, int, Outputs<float>&) {}
};

}  // namespace

template <class Stage>
__global__ void __launch_bounds__(kThreads, 2)
    matMulKernel(Bytes weights, Bytes x, Global<const float> bias, Global<float> y, int64_t rows, int64_t groupBytes,
                 int pieces, int rests, int tokens, int64_t xRowBytes, int64_t yStride) {
  TD_SHARED(int, words, 2 * Stage::kWords);
  const int thread = static_cast<int>(threadIdx.x), row = thread % kTileRows,
            token = thread / kTileRows * kTokensEach;  // the first of its own
  const int firstToken = static_cast<int>(blockIdx.y) * kTokens;
  const Operands from{weights,
                      x,
                      groupBytes,
                      xRowBytes,
                      static_cast<int>(blockIdx.x) * kGroups,
                      static_cast<int>((rows - 1) / kTileRows),
                      firstToken,
                      tokens - 1};
  const bool computes = firstToken + token / 8 * 8 < tokens;
  const int64_t restsAt = static_cast<int64_t>(pieces) * Stage::kStepsOfPiece * kActBytes;

  Outputs<float> all = {}, sum = {};
  int turn = 0;
#pragma unroll 1
  for (int part = 0; part < kParts; ++part) {
    const int end = segmentStart(part + 1, pieces) * Stage::kStepsOfPiece;
#pragma unroll 1
    for (int first = segmentStart(part, pieces) * Stage::kStepsOfPiece; first < end; first += Stage::kSteps) {
      const Shared<int> stage = words + turn * Stage::kWords;
      const int steps = min(end - first, Stage::kSteps);
      Stage::load(from, stage, thread, first, steps);
      __syncthreads();
      if (computes) Stage::multiply(stage, row, token, steps, sum);
      turn ^= 1;
    }
    if (!computes) continue;
    Stage::addRests(from, row, token, restsAt, segmentStart(part, rests), segmentStart(part + 1, rests), sum);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
#pragma unroll
      for (int n = 0; n < kTokensEach; ++n) {
        all[g][n] += sum[g][n];
        sum[g][n] = 0;
      }
    }
  }

#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int64_t outRow = static_cast<int64_t>(blockIdx.x) * kRows + g * kTileRows + row;
    if (outRow >= rows) continue;
    const float more = bias ? static_cast<float>(bias[outRow]) : 0.0f;
#pragma unroll
    for (int n = 0; n < kTokensEach; ++n) {
      if (firstToken + token + n >= tokens) continue;
      y[(firstToken + token + n) * yStride + outRow] = bias ? all[g][n] + more : all[g][n];
    }
  }
}

namespace {

template <class Format>
struct StageOf {
  using Type = FloatStage<Format>;
};
template <class Format>
  requires kQuantised<Format>
struct StageOf<Format> {
  using Type = QuantisedStage<Format>;
};

struct MatMul {
  template <class Format>
  static DeviceError run(void* stream, const MatMulCall& call) {
    const dim3 grid(static_cast<unsigned>((call.rows + kRows - 1) / kRows),
                    static_cast<unsigned>((call.tokens + kTokens - 1) / kTokens));
    return launch<matMulKernel<typename StageOf<Format>::Type>>(
        grid, kThreads, 0, static_cast<StreamRef>(stream), call.weights, call.x, call.bias, call.y, call.rows,
        groupBytes<Format>(call.columns), piecesOf<Format>(call.columns), static_cast<int>(Act8Row(call.columns).rests),
        static_cast<int>(call.tokens), call.xRowBytes, call.yStride);
  }
};

}  // namespace

DeviceError matMul(void* stream, const MatMulCall& call) {
  if (call.rows == 0 || call.tokens == 0) return {};
  return call.tokens <= kFewTokens ? matVec(stream, call) : byFormat<MatMul>(stream, call);
}

}  // namespace td::TD_VIEWS
