// What the tests of kernels on the paged cache share: devices of both kinds of views, and a cache of a few sequences in
// random blocks.
#pragma once

#include <algorithm>
#include <numeric>

#include "core/kv_layout.h"
#include "cuda/kernels/kernels.h"
#include "emulated/device_fixture.h"

namespace td::testing {

class CacheKernelsTest : public ::testing::TestWithParam<bool> {
 protected:
  CacheKernelsTest() : open_({.checked = GetParam()}) {}

  const GpuKernels& kernels() const { return GetParam() ? checked::gpuKernels : raw::gpuKernels; }
  Device& device() { return open_.device; }
  Stream& stream() { return open_.stream; }

  void arrange(Random& random) {
    const Order order = random.pick(orders());
    stream().setOrder(order.order, order.seed + random.bits() % 1000);
  }

 private:
  OpenDevice open_;
};

inline std::string viewsOfTest(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Checked" : "Raw";
}

// A position of a sequence.
struct CachedToken {
  int sequence, position;
};

// Sequences of some lengths in the blocks of a pool, in random order; the layer is the second of three. On the host,
// and empty: all elements have all bits set, which is NaN.
struct PagedCache {
  int kvHeads, headSize;
  int64_t layerElements, blockElements;
  std::vector<int> tables;      // where the table of each sequence begins in blocks
  std::vector<int32_t> blocks;  // with entries before, between and behind them that are no block
  std::vector<uint16_t> pool;

  PagedCache(Random& random, int kvHeads, int headSize, const std::vector<int>& lengths)
      : kvHeads(kvHeads),
        headSize(headSize),
        layerElements(kvHeads * kvHeadElements(headSize)),
        blockElements(3 * layerElements) {
    int count = random.integer(0, 2);
    for (const int length : lengths) count += (length + kKvTokens - 1) / kKvTokens;
    std::vector<int32_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[static_cast<size_t>(random.between(0, static_cast<int64_t>(i) - 1))]);
    for (const int length : lengths) {
      blocks.insert(blocks.end(), static_cast<size_t>(random.integer(0, 2)), -7);
      tables.push_back(static_cast<int>(blocks.size()));
      for (int at = 0; at < length; at += kKvTokens) {
        blocks.push_back(order.back());
        order.pop_back();
      }
    }
    blocks.push_back(count);
    pool.assign(static_cast<size_t>(std::max(1, count) * blockElements), 0xffff);
  }

  // The head's K of the token's block, and V behind it.
  uint16_t* head(CachedToken token, int kvHead) {
    const int entry = tables[static_cast<size_t>(token.sequence)] + token.position / kKvTokens;
    return &pool[static_cast<size_t>(blocks[static_cast<size_t>(entry)] * blockElements + layerElements +
                                     kvHead * kvHeadElements(headSize))];
  }
  void store(CachedToken token, int kvHead, const float* k, const float* v) {
    kernelsFor(TD_ISA_SCALAR).storeKv(k, v, headSize, token.position % kKvTokens, head(token, kvHead));
  }
  double k(CachedToken token, int kvHead, int d) {
    return halfToFloat(head(token, kvHead)[d * kKvTokens + token.position % kKvTokens]);
  }
  double v(CachedToken token, int kvHead, int d) {
    return halfToFloat(head(token, kvHead)[(kKvTokens + token.position % kKvTokens) * headSize + d]);
  }
};

// A cache on a device.
struct CacheOnDevice {
  const PagedCache& cache;
  DeviceArray<int32_t> blocks;
  DeviceArray<uint16_t> pool;

  CacheOnDevice(Device& device, Stream& stream, const PagedCache& cache)
      : cache(cache), blocks(device, stream, cache.blocks, "blocks"), pool(device, stream, cache.pool, "pool") {}

  PagedLayer layer() const {
    return {.pool = pool.span(),
            .blockElements = cache.blockElements,
            .layerElement = cache.layerElements,
            .kvHeads = cache.kvHeads,
            .headSize = cache.headSize};
  }
};

// Tokens of a step on a device.
struct StepOnDevice {
  DeviceArray<int32_t> positions, tables;

  StepOnDevice(Device& device, Stream& stream, const PagedCache& cache, const std::vector<CachedToken>& tokens)
      : positions(device, stream, positionsOf(tokens), "positions"),
        tables(device, stream, tablesOf(cache, tokens), "tables") {}

  PagedTokens tokens(const CacheOnDevice& cache) const {
    return {.positions = positions.input(),
            .tables = tables.input(),
            .blocks = cache.blocks.input(),
            .tokens = positions.count()};
  }

 private:
  static std::vector<int32_t> positionsOf(const std::vector<CachedToken>& tokens) {
    std::vector<int32_t> all;
    for (const CachedToken& token : tokens) all.push_back(token.position);
    return all;
  }
  static std::vector<int32_t> tablesOf(const PagedCache& cache, const std::vector<CachedToken>& tokens) {
    std::vector<int32_t> all;
    for (const CachedToken& token : tokens) all.push_back(cache.tables[static_cast<size_t>(token.sequence)]);
    return all;
  }
};

}  // namespace td::testing
