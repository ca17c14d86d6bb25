// Activations as matmul reads them (core/activation.h), bit by bit as the CPU encodes them.
//
//   TD_ACT8      per block of 32: scale = max|x| / 127, quant = x * (127 / max|x|) rounded to nearest even; behind the
//                blocks of a row, what rounding left over in the one in sixteen with the largest scales
//   TD_ACTBF16   rounded to nearest even, padded to pairs
//
// For TD_ACT8 a row is a block of threads, eight lanes a block of activations, four values of it each. Which blocks are
// the coarsest is found by rank: how many have a larger scale, or the same one and come earlier. All threads rank at
// once, against four at a time, and what is quadratic in it is small: 448 blocks for 14,336 columns.
#include "core/activation.h"
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kEach = 4, kLanes = kActBlock / kEach, kAtOnce = kThreads / kLanes;
constexpr int kActBytes = sizeof(Act8Block), kRestBytes = sizeof(Act8Rest);
constexpr unsigned kAll = 0xffffffff;
constexpr int kRanked = 4;           // scales that a thread compares with at a time
constexpr float kLeast = 0x1p-100f;  // a block whose largest value is not above this counts as zeros
constexpr int64_t kMostSharedBytes = 44 << 10;
constexpr int64_t kMostPairBlocks = 4096;

// A lane's values of a block of activations.
struct Values {
  float v[kEach];
};

// Zeros behind the row's end. wide: the row's values may be read four at a time.
__device__ __forceinline__ Values load(Global<const float> x, ptrdiff_t row, int64_t column, int64_t columns,
                                       bool wide) {
  Values values;
  if (wide && column < columns) {
    const float4 four = loadAs<float4>(x, row + column);
    values.v[0] = four.x;
    values.v[1] = four.y;
    values.v[2] = four.z;
    values.v[3] = four.w;
    return values;
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    values.v[i] = 0;
    if (column + i < columns) values.v[i] = x[row + column + i];
  }
  return values;
}

struct Step {
  float scale, inverse;
};

// The step of a block's first rounding; a block with something that is not finite becomes zeros with scale NaN.
__device__ __forceinline__ Step coarseStep(Values& values) {
  // Without their signs, floats are ordered as their bits are, infinity and NaN above all others.
  unsigned most = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) most = max(most, __float_as_uint(values.v[i]) & 0x7fffffffu);
  for (int distance = kLanes / 2; distance > 0; distance /= 2) most = max(most, __shfl_xor_sync(kAll, most, distance));
  if (most >= 0x7f800000u) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) values.v[i] = 0;
    return {__int_as_float(0x7fffffff), 0};
  }
  const float largest = __uint_as_float(most);
  return {largest / 127.0f, largest > kLeast ? 127.0f / largest : 0.0f};
}

// A lane's part of an encoded block.
struct Encoded {
  int quants;         // four bytes
  int sum, firstSum;  // of the block's quants; of the first half's, in the lanes that have those
};

// Rounds a block; what is left over takes the values' place.
__device__ __forceinline__ Encoded encodeValues(Values& values, Step step) {
  Encoded encoded = {0, 0, 0};
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int quant = __float2int_rn(values.v[i] * step.inverse);
    values.v[i] = fmaf(-static_cast<float>(quant), step.scale, values.v[i]);
    encoded.quants |= (quant & 255) << 8 * i;
    encoded.sum += quant;
  }
  for (int distance = 1; distance < kLanes / 2; distance *= 2)
    encoded.sum += __shfl_xor_sync(kAll, encoded.sum, distance);
  encoded.firstSum = encoded.sum;
  encoded.sum += __shfl_xor_sync(kAll, encoded.sum, kLanes / 2);
  return encoded;
}

// As an Act8Block, its lanes together.
__device__ __forceinline__ void store(Global<unsigned char> out, ptrdiff_t at, int lane, const Encoded& encoded,
                                      float scale) {
  storeAs<int>(out, at + 4 * lane, encoded.quants);
  if (lane == 0) storeAs<float>(out, at + 32, scale);
  if (lane == 1) storeAs<float>(out, at + 36, scale * static_cast<float>(encoded.sum));
  if (lane == 2) storeAs<int>(out, at + 40, -encoded.sum);
  if (lane == 3) storeAs<int>(out, at + 44, -encoded.firstSum);
}

// How many of the scales [first, end) are larger than one; or equal, where all of them lie in front of it.
template <bool inFront>
__device__ __forceinline__ int countLarger(Shared<float> scales, int first, int end, float scale) {
  const auto isLarger = [scale](float other) { return (inFront ? other >= scale : other > scale) ? 1 : 0; };
  int count = 0;
  for (int i = first; i < end; i += kRanked) {
    const float4 four = loadAs<float4>(scales, i);
    count += isLarger(four.x) + isLarger(four.y) + isLarger(four.z) + isLarger(four.w);
  }
  return count;
}

// Scales, with those of -1 behind them.
__device__ __forceinline__ int roundedUp(int blocks) {
  return (blocks + kRanked - 1) / kRanked * kRanked;
}

// The indices of the `count` coarsest blocks, ascending. Behind the scales are some of -1, up to a multiple of kRanked.
__device__ __forceinline__ void chooseCoarsest(Shared<float> scales, int blocks, Shared<int> chosen, int count,
                                               Shared<int> ofWarps) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int before = 0;
  for (int first = 0; first < blocks; first += kThreads) {
    const int block = first + thread;
    bool coarse = false;
    if (block < blocks) {
      // The lanes of a warp walk together: those of their own 32 one by one.
      const float scale = scales[block];
      const int own = block - lane, behind = min(own + 32, blocks);
      int rank = countLarger<true>(scales, 0, own, scale);
      for (int i = own; i < behind; ++i) {
        const float other = scales[i];
        rank += other > scale || (other == scale && i < block) ? 1 : 0;
      }
      rank += countLarger<false>(scales, behind, blocks, scale);
      coarse = rank < count;
    }
    const unsigned inWarp = __ballot_sync(kAll, coarse);
    if (lane == 0) ofWarps[warp] = __popc(inWarp);
    __syncthreads();
    int place = before + __popc(inWarp & ((1u << lane) - 1));
    for (int i = 0; i < kWarps; ++i) {
      const int found = ofWarps[i];
      before += found;
      if (i < warp) place += found;
    }
    if (coarse) chosen[place] = block;
    __syncthreads();
  }
}

// The same for a row with scales that are NaN, where it depends on who is compared with whom: the CPU's walk. (All
// results of such a row are NaN, whatever is chosen.)
__device__ __forceinline__ void walkToCoarsest(Shared<float> scales, int blocks, Shared<int> chosen, int count) {
  const auto kept = [&](int place) { return static_cast<float>(scales[static_cast<int>(chosen[place])]); };
  for (int i = 0; i < count; ++i) chosen[i] = i;
  for (int i = count; i < blocks; ++i) {
    int least = 0;
    for (int place = 1; place < count; ++place) {
      if (kept(place) <= kept(least)) least = place;
    }
    if (!(static_cast<float>(scales[i]) > kept(least))) continue;
    for (; least + 1 < count; ++least) chosen[least] = static_cast<int>(chosen[least + 1]);
    chosen[count - 1] = i;
  }
}

}  // namespace

__global__ void __launch_bounds__(kThreads)
    encode8Kernel(Global<const float> x, Global<unsigned char> out, int64_t columns, int blocks, int rests, bool wide) {
  TD_SHARED(int, ofWarps, kWarps);
  const int places = roundedUp(blocks);
  const Shared<float> scales = dynamicShared<float>(0, static_cast<size_t>(places));
  const Shared<int> chosen =
      dynamicShared<int>(sizeof(float) * static_cast<size_t>(places), static_cast<size_t>(rests));
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kLanes, group = thread / kLanes;
  const ptrdiff_t row = static_cast<ptrdiff_t>(blockIdx.x) * columns;
  const ptrdiff_t blocksAt = static_cast<ptrdiff_t>(blockIdx.x) *
                             (static_cast<ptrdiff_t>(blocks) * kActBytes + static_cast<ptrdiff_t>(rests) * kRestBytes);
  const ptrdiff_t restsAt = blocksAt + static_cast<ptrdiff_t>(blocks) * kActBytes;
  const auto column = [&](int block) { return static_cast<int64_t>(block) * kActBlock + kEach * lane; };

  bool poisoned = false;
  for (int first = 0; first < blocks; first += kAtOnce) {
    const int block = first + group;
    Values values = load(x, row, column(block), columns, wide);
    const Step step = coarseStep(values);
    const Encoded encoded = encodeValues(values, step);
    if (lane == 0 && block >= blocks && block < places) scales[block] = -1;
    if (block >= blocks) continue;
    store(out, blocksAt + static_cast<ptrdiff_t>(block) * kActBytes, lane, encoded, step.scale);
    if (lane == 0) scales[block] = step.scale;
    poisoned |= isnan(step.scale);
  }
  if (__syncthreads_or(poisoned ? 1 : 0) == 0) {
    chooseCoarsest(scales, blocks, chosen, rests, ofWarps);
  } else {
    if (thread == 0) walkToCoarsest(scales, blocks, chosen, rests);
    __syncthreads();
  }

  // The first rounding again, for what it leaves: at most half a scale, so that 254 times finer steps fit int8.
  for (int first = 0; first < rests; first += kAtOnce) {
    const int rest = first + group;
    const int block = chosen[min(rest, rests - 1)];
    Values values = load(x, row, column(block), columns, wide);
    const Step step = coarseStep(values);
    encodeValues(values, step);
    const float scale = step.scale / 254.0f;
    const Encoded encoded = encodeValues(values, {scale, step.scale > kLeast / 127.0f ? 1.0f / scale : 0.0f});
    if (rest >= rests) continue;
    const ptrdiff_t at = restsAt + static_cast<ptrdiff_t>(rest) * kRestBytes;
    store(out, at, lane, encoded, scale);
    if (lane >= 4) storeAs<int>(out, at + kActBytes + 4 * (lane - 4), lane == 4 ? block : 0);
  }
}

namespace {

// core/half.h
__device__ __forceinline__ unsigned bf16Bits(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 64u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

}  // namespace

__global__ void __launch_bounds__(kThreads)
    encodeBf16Kernel(Global<const float> x, Global<unsigned char> out, int64_t rows, int64_t columns) {
  const int64_t pairs = (columns + 1) / 2, all = rows * pairs;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x); i < all;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const int64_t column = i % pairs * 2, at = i / pairs * columns + column;
    unsigned pair = bf16Bits(x[at]);
    if (column + 1 < columns) pair |= bf16Bits(x[at + 1]) << 16;
    storeAs<unsigned>(out, 4 * i, pair);
  }
}

DeviceError encode(void* stream, const EncodeCall& call) {
  if (call.rows == 0 || call.columns == 0) return {};
  if (call.type == TD_ACTBF16) {
    const int64_t blocks = (call.rows * ((call.columns + 1) / 2) + kThreads - 1) / kThreads;
    return launch<encodeBf16Kernel>(static_cast<unsigned>(blocks < kMostPairBlocks ? blocks : kMostPairBlocks),
                                    kThreads, 0, static_cast<StreamRef>(stream), call.x, call.out, call.rows,
                                    call.columns);
  }
  if (call.type != TD_ACT8) return {DeviceFault::invalidArgument, "encode: activations are TD_ACT8 or TD_ACTBF16"};
  const Act8Row row(call.columns);
  const int64_t shared = (row.blocks + kRanked - 1 + row.rests) * int64_t{sizeof(float)};
  if (shared > kMostSharedBytes) {
    return {DeviceFault::invalidArgument, "encode: rows of TD_ACT8 on a GPU have 330,000 columns at most"};
  }
  const bool wide = call.columns % kEach == 0 && call.x.address % sizeof(float4) == 0;
  return launch<encode8Kernel>(static_cast<unsigned>(call.rows), kThreads, static_cast<size_t>(shared),
                               static_cast<StreamRef>(stream), call.x, call.out, call.columns,
                               static_cast<int>(row.blocks), static_cast<int>(row.rests), wide);
}

}  // namespace td::TD_VIEWS
