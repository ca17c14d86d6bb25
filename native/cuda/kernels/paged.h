// How kernels find their way in the paged cache (core/kv_layout.h).
#pragma once

#include "core/kv_layout.h"
#include "cuda/kernels/kernels.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

struct PagedShape {
  int64_t blockElements, layerElement;
  int64_t entries;  // of all block tables
  int poolBlocks, tokens, kvHeads, headSize;

  PagedShape(const PagedTokens& tokens, const PagedLayer& layer)
      : blockElements(layer.blockElements),
        layerElement(layer.layerElement),
        entries(tokens.blocks.count),
        poolBlocks(static_cast<int>(layer.pool.count / layer.blockElements)),
        tokens(static_cast<int>(tokens.tokens)),
        kvHeads(layer.kvHeads),
        headSize(layer.headSize) {}

  // Where a KV head of a block of positions begins in the pool: its K, and V behind it. Below 0: nowhere, because the
  // table has no such entry, or the pool no such block.
  __device__ __forceinline__ int64_t head(Global<const int> blocks, int64_t entry, int kvHead) const {
    if (entry < 0 || entry >= entries) return -1;
    const int block = blocks[entry];
    if (block < 0 || block >= poolBlocks) return -1;
    return block * blockElements + layerElement + static_cast<int64_t>(kvHead) * 2 * kKvTokens * headSize;
  }
  // V of a position, from the beginning of the head.
  __device__ __forceinline__ int value(int slot) const { return (kKvTokens + slot) * headSize; }
};

// A layout that kernels cannot take.
inline DeviceError checkLayer(const PagedLayer& layer) {
  if (layer.blockElements > 0 && layer.blockElements % kKvTokens == 0 && layer.layerElement % kKvTokens == 0) return {};
  return {DeviceFault::invalidArgument,
          "KV cache: the elements of a block, and before a layer in it, must be multiples of 16"};
}

}  // namespace td::TD_VIEWS
