// Attention over the paged cache (core/kv_layout.h), piece by piece: a piece is 256 positions, and its result (largest
// score, sum of the exponentials, weighted values) does not depend on anything outside it. Pieces are joined in their
// order, so a token's result is the same whoever computes which of them.
//
//   score_j = (q * scale) . k_j       a thread has two positions: a chain over the dimensions in their order
//   p_j     = exp(score_j - largest)  summed by a butterfly of each warp's, then over the warps in their order
//   out_d   = sum over j of p_j v_jd  a thread has two dimensions: a chain over the positions in their order
//
// A block of threads takes a unit: the query heads of a KV head, of one token or of a few that follow one another in a
// sequence, 16 query rows at most, which share what is read of K and V. Many units walk their pieces by themselves, as
// in Dao et al., "FlashAttention" (2022). Where there are few, each piece is a block of threads of its own, and a
// second kernel joins them, as in Dao et al., "Flash-Decoding" (2023).
//
// Which tokens make a unit is seen from positions and block tables: every token has a block of threads, and those whose
// token is not a unit's first end at once. Units end at positions that are divisible by their size.
#include "cuda/kernels/launchers.h"
#include "cuda/kernels/paged.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kMostRows = 16, kMostHeadSize = 256;
constexpr int kPieceBlocks = kPiece / kKvTokens;
constexpr unsigned kAll = 0xffffffff;
static_assert(kPiece == 2 * kThreads);

struct AttentionShape {
  PagedShape kv;
  int heads, group;      // query heads, and how many of them read the same KV head
  int parts, partHeads;  // into how many units these are cut, and the heads of each but the last
  int unitTokens;        // of a unit, at most
  int mostPositions, pieces;
  float scale;

  AttentionShape(const AttentionCall& call)
      : kv(call.tokens, call.layer),
        heads(call.heads),
        group(heads / kv.kvHeads),
        parts((group + kMostRows - 1) / kMostRows),
        partHeads((group + parts - 1) / parts),
        unitTokens(kMostRows / partHeads),
        mostPositions(static_cast<int>(call.mostPositions)),
        pieces((mostPositions + kPiece - 1) / kPiece),
        scale(call.scale) {}

  // How many positions a token at `position` sees; 0 for one that cannot be.
  __device__ __forceinline__ int reach(int64_t position) const {
    return position >= 0 && position < mostPositions ? static_cast<int>(position) + 1 : 0;
  }
  // Of query row token * heads + head: its elements in q and out, and its result of a piece: largest score, sum,
  // weighted values.
  __device__ __forceinline__ ptrdiff_t elements(ptrdiff_t row) const { return row * kv.headSize; }
  __device__ __forceinline__ ptrdiff_t result(ptrdiff_t row, int piece) const {
    return (row * pieces + piece) * (kv.headSize + 2);
  }
};

__device__ __forceinline__ float notANumber() {
  return __int_as_float(0x7fffffff);
}

__device__ __forceinline__ float largestOfWarp(float value) {
  for (int distance = 16; distance > 0; distance /= 2) value = fmaxf(value, __shfl_xor_sync(kAll, value, distance));
  return value;
}

__device__ __forceinline__ float sumOfWarp(float value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAll, value, distance);
  return value;
}

// Largest score and sum of the pieces so far.
struct Joined {
  float largest, sum;

  // With another piece. Returns the factors of the values before, and of the piece's.
  __device__ __forceinline__ float2 join(float nextLargest, float nextSum) {
    const float both = fmaxf(largest, nextLargest);
    const float2 factors = make_float2(expf(largest - both), expf(nextLargest - both));
    largest = both;
    sum = sum * factors.x + nextSum * factors.y;
    return factors;
  }
};

__device__ __forceinline__ float2 joinValues(float2 before, float2 next, float2 factors) {
  return make_float2(fmaf(next.x, factors.y, before.x * factors.x), fmaf(next.y, factors.y, before.y * factors.x));
}

// Tokens of a sequence at positions that follow one another, and heads of each that read one KV head.
struct Unit {
  int token, tokens, position, table;  // of the first token
  int kvHead, firstHead, heads;

  __device__ __forceinline__ int rows() const { return tokens * heads; }

  // The unit of a block of threads; without tokens, if its token belongs to the unit of one before.
  __device__ __forceinline__ Unit(Global<const int> positions, Global<const int> tables, const AttentionShape& shape) {
    token = static_cast<int>(blockIdx.x);
    tokens = 0;
    position = positions[token];
    table = tables[token];
    const int row = static_cast<int>(blockIdx.y), part = row % shape.parts;
    kvHead = row / shape.parts;
    firstHead = kvHead * shape.group + part * shape.partHeads;
    heads = min(shape.partHeads, shape.group - part * shape.partHeads);
    if (token > 0 && follows(positions[token - 1], tables[token - 1], position, shape.unitTokens)) return;
    const int lane = static_cast<int>(threadIdx.x) % 32, next = token + lane;
    bool same = lane == 0;
    if (lane > 0 && lane < shape.unitTokens && next < shape.kv.tokens) {
      same = follows(positions[next - 1], tables[next - 1], positions[next], shape.unitTokens) &&
             static_cast<int>(tables[next]) == table;
    }
    tokens = __ffs(static_cast<int>(~__ballot_sync(kAll, same))) - 1;
  }

 private:
  // Whether a token goes on with the unit of the one before it; unsigned, since positions may be anything.
  __device__ __forceinline__ bool follows(int before, int tableBefore, int after, int unitTokens) const {
    const auto place = static_cast<unsigned>(after);
    return tableBefore == table && static_cast<unsigned>(before) + 1 == place &&
           place % static_cast<unsigned>(unitTokens) != 0;
  }
};

// ---- The products of a piece. Tensor cores will find their place here.

// Scores of `rows` queries, one after another in shared memory, against two positions whose keys begin at `keys`.
template <int rows>
__device__ __forceinline__ void scoresOf(Shared<const float> queries, Global<const uint16_t> pool, int64_t keys,
                                         int headSize, float2 (&scores)[rows]) {
#pragma unroll
  for (int r = 0; r < rows; ++r) scores[r] = make_float2(0, 0);
#pragma unroll(rows > 8 ? 1 : 4)
  for (int d = 0; d < headSize; d += 4) {
    float2 key[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) key[i] = __half22float2(loadAs<__half2>(pool, keys + (d + i) * kKvTokens));
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const float4 q = loadAs<float4>(queries, r * headSize + d);
      scores[r].x = fmaf(key[0].x, q.x, scores[r].x);
      scores[r].y = fmaf(key[0].y, q.x, scores[r].y);
      scores[r].x = fmaf(key[1].x, q.y, scores[r].x);
      scores[r].y = fmaf(key[1].y, q.y, scores[r].y);
      scores[r].x = fmaf(key[2].x, q.z, scores[r].x);
      scores[r].y = fmaf(key[2].y, q.z, scores[r].y);
      scores[r].x = fmaf(key[3].x, q.w, scores[r].x);
      scores[r].y = fmaf(key[3].y, q.w, scores[r].y);
    }
  }
}

__device__ __forceinline__ void addWeighed(float2& sum, float weight, float2 value) {
  sum = make_float2(fmaf(weight, value.x, sum.x), fmaf(weight, value.y, sum.y));
}

// Adds two dimensions of the values of 16 positions, weighed, to the sums of `rows` rows; `at` is the first position in
// the piece, whose values begin at `values`.
template <int rows>
__device__ __forceinline__ void weigh(Shared<const float> weights, int at, Global<const uint16_t> pool, int64_t values,
                                      int headSize, float2 (&sums)[rows]) {
  __half2 value[kKvTokens];
#pragma unroll
  for (int i = 0; i < kKvTokens; ++i) value[i] = loadAs<__half2>(pool, values + i * headSize);
#pragma unroll
  for (int i = 0; i < kKvTokens; i += 4) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const float4 weight = loadAs<float4>(weights, r * kPiece + at + i);
      addWeighed(sums[r], weight.x, __half22float2(value[i]));
      addWeighed(sums[r], weight.y, __half22float2(value[i + 1]));
      addWeighed(sums[r], weight.z, __half22float2(value[i + 2]));
      addWeighed(sums[r], weight.w, __half22float2(value[i + 3]));
    }
  }
}

// The same for the last positions: up to `end`, and for each row up to where it reaches. Not with a weight of 0: what
// lies beyond a token may be anything. Values below 0: there are none, and the weights are NaN.
template <int rows>
__device__ __forceinline__ void weighLast(Shared<const float> weights, Shared<const int> reaches, int base, int at,
                                          int end, Global<const uint16_t> pool, int64_t values, int headSize,
                                          float2 (&sums)[rows]) {
#pragma unroll 4
  for (int i = 0; i < kKvTokens; ++i) {
    if (base + at + i >= end) break;
    float2 value = make_float2(0, 0);
    if (values >= 0) value = __half22float2(loadAs<__half2>(pool, values + i * headSize));
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      if (base + at + i < reaches[r]) addWeighed(sums[r], weights[r * kPiece + at + i], value);
    }
  }
}

// What a block of threads has: views of memory, and the unit that it computes.
struct Work {
  Global<const float> q;
  Global<const int> blocks;
  Global<const uint16_t> pool;
  Global<float> results, out;
  Shared<float> queries;         // [rows][headSize], times the scale
  Shared<float> weights;         // [rows][kPiece]
  Shared<float> largests, sums;  // [rows][kWarps], of the piece
  Shared<float> factors;         // [rows][2], see Joined
  Shared<int> reaches;           // [rows], positions that each sees
  Shared<int> rows;              // [rows], which rows of q and out they are
  Shared<int64_t> places;        // of the piece's blocks in the pool
};

// groups: of threads, each of which has all dimensions of some rows' values.
template <int rows, int groups, bool splits>
__device__ __forceinline__ void attend(const Work& w, const Unit& unit, const AttentionShape& shape) {
  constexpr int kEach = rows < groups ? 1 : rows / groups, kWidth = kThreads / groups;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int headSize = shape.kv.headSize, used = unit.rows();
  const int pair = 2 * (thread % kWidth), firstRow = thread / kWidth * kEach;
  const bool weighs = pair < headSize && firstRow < rows;

  int end = 0;
  for (int i = 0; i < unit.tokens; ++i) end = max(end, shape.reach(int64_t{unit.position} + i));
  const int pieces = (end + kPiece - 1) / kPiece;
  const int firstPiece = splits ? static_cast<int>(blockIdx.z) : 0;
  const int endPiece = splits ? min(firstPiece + 1, pieces) : pieces;
  if (splits && firstPiece >= pieces) return;

  if (thread < rows) {
    const int token = thread / unit.heads;
    w.reaches[thread] = thread < used ? shape.reach(int64_t{unit.position} + token) : 0;
    w.rows[thread] = (unit.token + token) * shape.heads + unit.firstHead + thread % unit.heads;
  }
  __syncthreads();
  for (int row = warp; row < rows; row += kWarps) {
    const ptrdiff_t from = shape.elements(w.rows[row]);
    for (int d = lane; d < headSize; d += 32) {
      float element = 0;
      if (row < used) element = w.q[from + d] * shape.scale;
      w.queries[row * headSize + d] = element;
    }
  }

  Joined joined{0, 0};  // of row `thread`
  float2 values[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) values[i] = make_float2(0, 0);

  for (int piece = firstPiece; piece < endPiece; ++piece) {
    const int base = piece * kPiece;
    if (thread < kPieceBlocks) {
      const int block = piece * kPieceBlocks + thread;
      w.places[thread] =
          block * kKvTokens < end ? shape.kv.head(w.blocks, int64_t{unit.table} + block, unit.kvHead) : int64_t{-1};
    }
    __syncthreads();

    // Scores, and the largest of each row.
    const int at = 2 * thread;
    float2 scores[rows];
    const int64_t place = w.places[at / kKvTokens];
    if (base + at < end && place >= 0) {
      scoresOf<rows>(w.queries, w.pool, place + at % kKvTokens, headSize, scores);
    } else {
#pragma unroll
      for (int r = 0; r < rows; ++r) scores[r] = make_float2(notANumber(), notANumber());
    }
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int left = static_cast<int>(w.reaches[r]) - base - at;
      float largest = -INFINITY;
      if (left > 0) largest = scores[r].x;
      if (left > 1) largest = fmaxf(largest, scores[r].y);
      largest = largestOfWarp(largest);
      if (lane == 0) w.largests[r * kWarps + warp] = largest;
    }
    __syncthreads();

    // Their exponentials, and the sum of each row.
    const auto largestOf = [&](int row) {
      const float4 all = loadAs<float4>(w.largests, row * kWarps);
      return fmaxf(fmaxf(all.x, all.y), fmaxf(all.z, all.w));
    };
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int left = static_cast<int>(w.reaches[r]) - base - at;
      const float largest = largestOf(r);
      const float2 weight =
          make_float2(left > 0 ? expf(scores[r].x - largest) : 0.0f, left > 1 ? expf(scores[r].y - largest) : 0.0f);
      storeAs(w.weights, r * kPiece + at, weight);
      const float sum = sumOfWarp(weight.x + weight.y);
      if (lane == 0) w.sums[r * kWarps + warp] = sum;
    }
    __syncthreads();

    if (thread < used && w.reaches[thread] > base) {
      const float largest = largestOf(thread);
      const float4 parts = loadAs<float4>(w.sums, thread * kWarps);
      const float sum = parts.x + parts.y + parts.z + parts.w;
      if (splits) {
        storeAs(w.results, shape.result(w.rows[thread], piece), make_float2(largest, sum));
      } else if (piece == 0) {
        joined = {largest, sum};
      } else {
        storeAs(w.factors, 2 * thread, joined.join(largest, sum));
      }
    }

    // The values: of all rows together as far as the first one goes, then with care.
    float2 weighed[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) weighed[i] = make_float2(0, 0);
    if (weighs) {
      const int whole = w.reaches[0];
      const Shared<const float> weights = w.weights + firstRow * kPiece;
      const Shared<const int> reaches = w.reaches + firstRow;
      for (int block = 0; block < kPieceBlocks && base + block * kKvTokens < end; ++block) {
        const int64_t head = w.places[block], from = head + shape.kv.value(0) + pair;
        const int first = block * kKvTokens;
        if (head >= 0 && base + first + kKvTokens <= whole) {
          weigh<kEach>(weights, first, w.pool, from, headSize, weighed);
        } else {
          weighLast<kEach>(weights, reaches, base, first, end, w.pool, head < 0 ? head : from, headSize, weighed);
        }
      }
    }

    if (splits) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int row = firstRow + i;
        if (weighs && row < used && w.reaches[row] > base) {
          storeAs(w.results, shape.result(w.rows[row], piece) + 2 + pair, weighed[i]);
        }
      }
      return;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (piece == 0) {
        values[i] = weighed[i];
      } else if (weighs && w.reaches[firstRow + i] > base) {
        values[i] = joinValues(values[i], weighed[i], loadAs<float2>(w.factors, 2 * (firstRow + i)));
      }
    }
  }

  __syncthreads();
  if (thread < rows) w.sums[thread] = w.reaches[thread] > 0 ? joined.sum : notANumber();
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int row = firstRow + i;
    if (!weighs || row >= used) continue;
    const float sum = w.sums[row];
    storeAs(w.out, shape.elements(w.rows[row]) + pair, make_float2(values[i].x / sum, values[i].y / sum));
  }
}

}  // namespace

// Blocks of threads: tokens x KV heads and their parts x, if it splits, pieces.
template <int groups, bool splits>
__global__ void __launch_bounds__(kThreads, splits ? 1 : 2)
    attentionKernel(Global<const float> q, Global<const int> positions, Global<const int> tables,
                    Global<const int> blocks, Global<const uint16_t> pool, Global<float> results, Global<float> out,
                    AttentionShape shape) {
  TD_SHARED(float, queries, kMostRows* kMostHeadSize / groups);
  TD_SHARED(float, weights, kMostRows* kPiece);
  TD_SHARED(float, largests, kMostRows* kWarps);
  TD_SHARED(float, sums, kMostRows* kWarps);
  TD_SHARED(float, factors, kMostRows * 2);
  TD_SHARED(int, reaches, kMostRows);
  TD_SHARED(int, rows, kMostRows);
  TD_SHARED(int64_t, places, kPieceBlocks);
  const Unit unit(positions, tables, shape);
  if (unit.tokens == 0) return;
  const Work work{q, blocks, pool, results, out, queries, weights, largests, sums, factors, reaches, rows, places};
  if (unit.rows() == 1) {
    attend<1, groups, splits>(work, unit, shape);
  } else if (unit.rows() <= 4) {
    attend<4, groups, splits>(work, unit, shape);
  } else if (unit.rows() <= 8) {
    attend<8, groups, splits>(work, unit, shape);
  } else {
    attend<16, groups, splits>(work, unit, shape);
  }
}

// A block of threads joins the pieces of a token's head, each thread two dimensions of them.
__global__ void __launch_bounds__(kThreads) joinPiecesKernel(Global<const float> results, Global<const int> positions,
                                                             Global<float> out, AttentionShape shape) {
  const int row = static_cast<int>(blockIdx.x);
  const int pair = 2 * static_cast<int>(threadIdx.x);
  if (pair >= shape.kv.headSize) return;
  const int reach = shape.reach(positions[row / shape.heads]);
  Joined joined{0, notANumber()};
  float2 values = make_float2(0, 0);
  for (int piece = 0; piece * kPiece < reach; ++piece) {
    const ptrdiff_t result = shape.result(row, piece);
    const float2 next = loadAs<float2>(results, result), nextValues = loadAs<float2>(results, result + 2 + pair);
    if (piece == 0) {
      joined = {next.x, next.y};
      values = nextValues;
    } else {
      values = joinValues(values, nextValues, joined.join(next.x, next.y));
    }
  }
  storeAs(out, shape.elements(row) + pair, make_float2(values.x / joined.sum, values.y / joined.sum));
}

namespace {

// So many blocks of threads are enough for a GPU to have something to do.
constexpr int64_t kEnoughBlocks = 1024;

DeviceError check(const AttentionCall& call) {
  if (DeviceError error = checkLayer(call.layer)) return error;
  const PagedLayer& layer = call.layer;
  if (layer.headSize < 4 || layer.headSize > kMostHeadSize || layer.headSize % 4 != 0) {
    return {DeviceFault::invalidArgument, "attention: the size of heads must be a multiple of 4, up to 256"};
  }
  if (layer.kvHeads < 1 || call.heads % layer.kvHeads != 0) {
    return {DeviceFault::invalidArgument, "attention: the heads must be a multiple of the KV heads"};
  }
  return {};
}

// `count` tokens of a call, from one on.
AttentionCall part(const AttentionCall& call, int64_t first, int64_t count) {
  const auto cut = [&](auto span, int64_t perToken) {
    span.address += static_cast<DeviceAddress>(first * perToken) * 4;
    span.count = count * perToken;
    return span;
  };
  const int64_t columns = int64_t{call.heads} * call.layer.headSize;
  AttentionCall some = call;
  some.q = cut(call.q, columns);
  some.out = cut(call.out, columns);
  some.tokens.positions = cut(call.tokens.positions, 1);
  some.tokens.tables = cut(call.tokens.tables, 1);
  some.tokens.tokens = count;
  return some;
}

template <int groups, bool splits>
DeviceError launchFor(void* stream, const AttentionCall& call) {
  const AttentionShape shape(call);
  const dim3 grid(static_cast<unsigned>(call.tokens.tokens), static_cast<unsigned>(shape.kv.kvHeads * shape.parts),
                  splits ? static_cast<unsigned>(shape.pieces) : 1u);
  const DeviceSpan<const uint16_t> pool{call.layer.pool.address, call.layer.pool.count, call.layer.pool.name};
  if (DeviceError error = launch<attentionKernel<groups, splits>>(
          grid, kThreads, 0, static_cast<StreamRef>(stream), call.q, call.tokens.positions, call.tokens.tables,
          call.tokens.blocks, pool, call.work, call.out, shape)) {
    return error;
  }
  if (!splits) return {};
  const DeviceSpan<const float> results{call.work.address, call.work.count, call.work.name};
  return launch<joinPiecesKernel>(static_cast<unsigned>(call.tokens.tokens * call.heads), kThreads, 0,
                                  static_cast<StreamRef>(stream), results, call.tokens.positions, call.out, shape);
}

template <bool splits>
DeviceError launchFor(void* stream, const AttentionCall& call) {
  if (call.layer.headSize <= kMostHeadSize / 4) return launchFor<4, splits>(stream, call);
  if (call.layer.headSize <= kMostHeadSize / 2) return launchFor<2, splits>(stream, call);
  return launchFor<1, splits>(stream, call);
}

}  // namespace

DeviceError attention(void* stream, const AttentionCall& call) {
  if (call.tokens.tokens == 0) return {};
  if (DeviceError error = check(call)) return error;
  const AttentionShape shape(call);
  const int64_t perToken = attentionWorkFloats(call.heads, call.layer.headSize, call.mostPositions);
  const bool few = call.tokens.tokens * shape.kv.kvHeads * shape.parts < kEnoughBlocks;
  if (!few || shape.pieces < 2 || call.work.count < perToken) return launchFor<false>(stream, call);
  const int64_t atOnce = call.work.count / perToken;
  for (int64_t first = 0; first < call.tokens.tokens; first += atOnce) {
    const int64_t count = min(atOnce, call.tokens.tokens - first);
    if (DeviceError error = launchFor<true>(stream, part(call, first, count))) return error;
  }
  return {};
}

}  // namespace td::TD_VIEWS
