// Keys and values into the paged cache, as f16; and the same with the rotation of queries and keys before it.
//
// A block of threads takes 16 tokens and a KV head. K lies dimension by dimension in the cache, so it goes through
// shared memory: it is read along the dimensions and written along the tokens, since tokens that follow one another lie
// side by side there. What is rotated is rotated in place.
#include "cuda/kernels/launchers.h"
#include "cuda/kernels/paged.h"
#include "cuda/kernels/rotation.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kTokens = 16, kDims = 64;
constexpr int kPitch = kTokens + 2;  // 9 words from dimension to dimension: in 32 different banks

__device__ __forceinline__ uint16_t halfBits(float x) {
  return __half_as_ushort(__float2half_rn(x));
}

}  // namespace

template <bool rotates>
__global__ void __launch_bounds__(kThreads)
    storeKvKernel(Global<float> q, Global<float> rotated, Global<const float> k, Global<const float> v,
                  Global<const float> angles, Global<const int> positions, Global<const int> tables,
                  Global<const int> blocks, Global<uint16_t> pool, PagedShape shape, Rotation rotation, int heads) {
  TD_SHARED(uint16_t, keys, kDims* kPitch);
  TD_SHARED(int64_t, places, kTokens);
  const int thread = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.y), headSize = shape.headSize;
  const int first = static_cast<int>(blockIdx.x) * kTokens, tokens = min(kTokens, shape.tokens - first);

  if constexpr (rotates) {
    const bool isKey = row < shape.kvHeads;
    for (int i = thread; i < tokens * rotation.pairs; i += kThreads) {
      const ptrdiff_t token = first + i / rotation.pairs;
      const ptrdiff_t head = isKey ? token * shape.kvHeads + row : token * heads + row - shape.kvHeads;
      rotation.rotate(isKey ? rotated : q, head * headSize, i % rotation.pairs, angles, token * 2 * rotation.pairs);
    }
    if (!isKey) return;
  }

  if (thread < kTokens) {
    int64_t place = -1;
    if (thread < tokens) {
      const int position = positions[first + thread];
      const int64_t entry = static_cast<int64_t>(tables[first + thread]) + position / kKvTokens;
      if (position >= 0) place = shape.head(blocks, entry, row);
      if (place >= 0) place += position % kKvTokens;
    }
    places[thread] = place;
  }
  __syncthreads();

  const auto headOf = [&](int token) {
    return (static_cast<ptrdiff_t>(first + token) * shape.kvHeads + row) * headSize;
  };
  for (int dim = 0; dim < headSize; dim += kDims) {
    for (int i = thread; i < kTokens * kDims; i += kThreads) {
      const int token = i / kDims, d = dim + i % kDims;
      if (token >= tokens || d >= headSize) continue;
      const float key = rotates ? rotated[headOf(token) + d] : k[headOf(token) + d];
      keys[i % kDims * kPitch + token] = halfBits(key);
    }
    __syncthreads();
    for (int i = thread; i < kTokens * kDims; i += kThreads) {
      const int token = i % kTokens, d = i / kTokens;
      const int64_t place = places[token];
      if (place >= 0 && dim + d < headSize)
        pool[place + static_cast<int64_t>(dim + d) * kKvTokens] = keys[d * kPitch + token];
    }
    __syncthreads();
  }

  for (int token = thread / 32; token < tokens; token += kWarps) {
    const int64_t place = places[token];
    if (place < 0) continue;
    const auto slot = static_cast<int>(place % kKvTokens);
    for (int d = thread % 32; d < headSize; d += 32) {
      pool[place - slot + shape.value(slot) + d] = halfBits(v[headOf(token) + d]);
    }
  }
}

namespace {

template <bool rotates>
DeviceError store(void* stream, const DeviceSpan<float>& q, const DeviceSpan<float>& rotated,
                  const DeviceSpan<const float>& k, const DeviceSpan<const float>& v,
                  const DeviceSpan<const float>& angles, const PagedTokens& tokens, const PagedLayer& layer,
                  Rotation rotation, int heads) {
  if (tokens.tokens == 0) return {};
  if (DeviceError error = checkLayer(layer)) return error;
  const dim3 grid(static_cast<unsigned>((tokens.tokens + kTokens - 1) / kTokens),
                  static_cast<unsigned>(layer.kvHeads + heads));
  return launch<storeKvKernel<rotates>>(grid, kThreads, 0, static_cast<StreamRef>(stream), q, rotated, k, v, angles,
                                        tokens.positions, tokens.tables, tokens.blocks, layer.pool,
                                        PagedShape(tokens, layer), rotation, heads);
}

}  // namespace

DeviceError storeKv(void* stream, const StoreKvCall& call) {
  return store<false>(stream, {}, {}, call.k, call.v, {}, call.tokens, call.layer, Rotation(0, TD_ROPE_NORM), 0);
}

DeviceError ropeStoreKv(void* stream, const RopeStoreKvCall& call) {
  return store<true>(stream, call.q, call.k, {}, call.v, call.angles, call.tokens, call.layer,
                     Rotation(call.pairs, call.layout), call.heads);
}

}  // namespace td::TD_VIEWS
