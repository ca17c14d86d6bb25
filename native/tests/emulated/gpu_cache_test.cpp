// Rotary embedding and what goes into the paged cache, on the emulated device, raw and checked, in all orders of
// threads: the bits that the CPU's scalar kernels give, which have tests against double precision.
#include "emulated/paged_cache.h"

namespace td::testing {
namespace {

using GpuCacheTest = CacheKernelsTest;
INSTANTIATE_TEST_SUITE_P(Views, GpuCacheTest, ::testing::Bool(), viewsOfTest);

// Cosine and sine in double precision, rounded once.
TEST_P(GpuCacheTest, RopeAngles) {
  for (int round = 0; round < rounds(20); ++round) {
    Random random("gpu rope angles", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t tokens = random.between(0, 9), pairs = random.between(0, 70);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << tokens << " tokens, " << pairs << " pairs");
    std::vector<int32_t> positions;
    std::vector<double> frequencies;
    for (int64_t i = 0; i < tokens; ++i)
      positions.push_back(random.integer(0, random.chance(0.3) ? 0x7fffffff : 10000));
    for (int64_t i = 0; i < pairs; ++i)
      frequencies.push_back(std::pow(10000, -static_cast<double>(i) / static_cast<double>(pairs)));
    DeviceArray<int32_t> places(device(), stream(), positions, "positions");
    DeviceArray<double> factors(device(), stream(), frequencies, "frequencies");
    DeviceArray<float> angles(device(), stream(),
                              std::vector<float>(static_cast<size_t>(2 * tokens * pairs), notANumber()), "angles");
    ASSERT_TRUE(ok(kernels().ropeAngles(
        &stream(),
        {.positions = places.input(), .frequencies = factors.readOnly(), .angles = angles.span(), .tokens = tokens})));
    const std::vector<float> result = angles.read(stream());
    for (int64_t i = 0; i < tokens * pairs; ++i) {
      const double angle = positions[static_cast<size_t>(i / pairs)] * frequencies[static_cast<size_t>(i % pairs)];
      const double cosine = std::cos(angle), sine = std::sin(angle);
      const auto at = static_cast<size_t>(2 * i);
      ASSERT_TRUE(within(result[at], {cosine, std::abs(cosine) * kRounding + 0x1p-50})) << i;
      ASSERT_TRUE(within(result[at + 1], {sine, std::abs(sine) * kRounding + 0x1p-50})) << i;
    }
  }
}

TEST_P(GpuCacheTest, Rope) {
  for (int round = 0; round < rounds(30); ++round) {
    Random random("gpu rope", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t tokens = random.between(0, 5);
    const int heads = random.integer(1, 9), headSize = random.integer(2, 130), pairs = random.integer(0, headSize / 2);
    const auto layout = random.chance(0.5) ? TD_ROPE_NORM : TD_ROPE_NEOX;
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << tokens << " tokens, " << heads << " heads of " << headSize
                                                      << ", " << pairs << " pairs, layout " << layout);
    std::vector<float> x = random.normals(tokens * heads * headSize);
    const std::vector<float> angles = random.normals(tokens * 2 * pairs);
    DeviceArray<float> xs(device(), stream(), x, "x"), angleArray(device(), stream(), angles, "angles");
    ASSERT_TRUE(ok(kernels().rope(&stream(), {.x = xs.span(),
                                              .angles = angleArray.input(),
                                              .tokens = tokens,
                                              .heads = heads,
                                              .headSize = headSize,
                                              .pairs = pairs,
                                              .layout = layout})));
    for (int64_t token = 0; token < tokens; ++token) {
      kernelsFor(TD_ISA_SCALAR)
          .rope(x.data() + token * heads * headSize, heads, headSize, angles.data() + token * 2 * pairs, pairs, layout);
    }
    ASSERT_TRUE(sameBits(x, xs.read(stream())));
  }
}

// Tokens of a few sequences: stretches of prompts, and single ones; none twice.
std::vector<CachedToken> someTokens(Random& random, const std::vector<int>& lengths) {
  std::vector<CachedToken> tokens;
  for (size_t sequence = 0; sequence < lengths.size(); ++sequence) {
    int position = random.integer(0, lengths[sequence] - 1);
    const int end = std::min(lengths[sequence], position + random.integer(1, 40));
    for (; position < end; position += random.chance(0.1) ? 2 : 1)
      tokens.push_back({static_cast<int>(sequence), position});
  }
  if (random.chance(0.3)) std::reverse(tokens.begin(), tokens.end());
  return tokens;
}

// K and V of a step, rotated or not.
TEST_P(GpuCacheTest, StoreKvWithAndWithoutRope) {
  static constexpr int kHeadSizes[] = {32, 64, 80, 100, 128, 256, 1, 7, 70};
  for (int round = 0; round < rounds(40); ++round) {
    Random random("gpu store", static_cast<uint64_t>(round));
    arrange(random);
    const int kvHeads = random.integer(1, 4), heads = kvHeads * random.integer(1, 3),
              headSize = random.pick(kHeadSizes), pairs = random.chance(0.5) ? headSize / 2 : headSize / 4;
    const auto layout = random.chance(0.5) ? TD_ROPE_NORM : TD_ROPE_NEOX;
    std::vector<int> lengths;
    for (int i = random.integer(1, 3); i > 0; --i) lengths.push_back(random.integer(1, 100));
    PagedCache cache(random, kvHeads, headSize, lengths);
    const std::vector<CachedToken> tokens = someTokens(random, lengths);
    const auto count = static_cast<int64_t>(tokens.size());
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << count << " tokens, " << kvHeads << " KV heads of " << headSize
                                                      << ", " << pairs << " pairs, layout " << layout);
    const double size = std::pow(10, random.uniform(-8, 6));
    std::vector<float> q = random.normals(count * heads * headSize),
                       k = random.normals(count * kvHeads * headSize, size);
    const std::vector<float> v = random.normals(count * kvHeads * headSize, size);
    const std::vector<float> angles = random.normals(count * 2 * pairs);

    const CacheOnDevice plain(device(), stream(), cache), rotated(device(), stream(), cache);
    const StepOnDevice step(device(), stream(), cache, tokens);
    const DeviceArray<float> qs(device(), stream(), q, "q"), ks(device(), stream(), k, "k"),
        vs(device(), stream(), v, "v"), angleArray(device(), stream(), angles, "angles");
    ASSERT_TRUE(ok(kernels().storeKv(
        &stream(), {.k = ks.input(), .v = vs.input(), .tokens = step.tokens(plain), .layer = plain.layer()})));
    ASSERT_TRUE(ok(kernels().ropeStoreKv(&stream(), {.q = qs.span(),
                                                     .k = ks.span(),
                                                     .v = vs.input(),
                                                     .angles = angleArray.input(),
                                                     .tokens = step.tokens(rotated),
                                                     .layer = rotated.layer(),
                                                     .heads = heads,
                                                     .pairs = pairs,
                                                     .layout = layout})));
    PagedCache expected = cache;
    const auto storeAll = [&] {
      for (size_t i = 0; i < tokens.size(); ++i) {
        for (int head = 0; head < kvHeads; ++head) {
          const size_t at =
              (i * static_cast<size_t>(kvHeads) + static_cast<size_t>(head)) * static_cast<size_t>(headSize);
          expected.store(tokens[i], head, &k[at], &v[at]);
        }
      }
    };
    storeAll();
    ASSERT_EQ(expected.pool, plain.pool.read(stream()));
    const Kernels& scalar = kernelsFor(TD_ISA_SCALAR);
    for (int64_t i = 0; i < count; ++i) {
      scalar.rope(&q[static_cast<size_t>(i * heads * headSize)], heads, headSize, angles.data() + i * 2 * pairs, pairs,
                  layout);
      scalar.rope(&k[static_cast<size_t>(i * kvHeads * headSize)], kvHeads, headSize, angles.data() + i * 2 * pairs,
                  pairs, layout);
    }
    expected.pool = cache.pool;
    storeAll();
    ASSERT_EQ(expected.pool, rotated.pool.read(stream()));
    ASSERT_TRUE(sameBits(q, qs.read(stream())));
  }
}

// What leads out of the tables or the pool is left out, and the tokens beside it are stored.
TEST_P(GpuCacheTest, StoreKvFollowsNoIndexOutOfRange) {
  Random random("gpu store nowhere");
  PagedCache cache(random, 2, 32, {40, 40});
  cache.tables.push_back(-3);                                         // before all entries
  cache.tables.push_back(static_cast<int>(cache.blocks.size()));      // behind them
  cache.tables.push_back(static_cast<int>(cache.blocks.size()) - 1);  // a block that the pool has not
  const std::vector<CachedToken> tokens = {{0, 5},  {1, -1}, {0, -2147483647 - 1}, {2, 0},
                                           {3, 17}, {4, 3},  {0, 2147483647},      {1, 6}};
  const std::vector<float> k = random.normals(8 * 64), v = random.normals(8 * 64);
  const CacheOnDevice onDevice(device(), stream(), cache);
  const StepOnDevice step(device(), stream(), cache, tokens);
  const DeviceArray<float> ks(device(), stream(), k), vs(device(), stream(), v);
  ASSERT_TRUE(ok(kernels().storeKv(
      &stream(), {.k = ks.input(), .v = vs.input(), .tokens = step.tokens(onDevice), .layer = onDevice.layer()})));
  for (const size_t i : {size_t{0}, size_t{7}}) {
    for (int head = 0; head < 2; ++head)
      cache.store(tokens[i], head, &k[i * 64 + static_cast<size_t>(head) * 32],
                  &v[i * 64 + static_cast<size_t>(head) * 32]);
  }
  EXPECT_EQ(cache.pool, onDevice.pool.read(stream()));
}

TEST_P(GpuCacheTest, ALayerThatIsNotAlignedIsRefused) {
  Random random("gpu store unaligned");
  const PagedCache cache(random, 1, 32, {16});
  const CacheOnDevice onDevice(device(), stream(), cache);
  const StepOnDevice step(device(), stream(), cache, {{0, 0}});
  const DeviceArray<float> k(device(), 32), v(device(), 32);
  StoreKvCall call{.k = k.input(), .v = v.input(), .tokens = step.tokens(onDevice), .layer = onDevice.layer()};
  call.layer.layerElement = 8;
  EXPECT_TRUE(refuses(kernels().storeKv(&stream(), call), "and before a layer in it, must be multiples of 16"));
}

}  // namespace
}  // namespace td::testing
