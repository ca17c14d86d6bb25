// Attention over the paged cache on the emulated device, raw and checked, in all orders of threads: near double
// precision, and the same bits for a token in whatever company and however the work is cut.
#include "emulated/paged_cache.h"

namespace td::testing {
namespace {

// A cache with something in it, and queries for its tokens.
struct Context {
  int group;
  float scale;
  std::vector<int> lengths;
  PagedCache cache;

  Context(Random& random, int kvHeads, int group, int headSize, const std::vector<int>& lengths)
      : group(group),
        scale(static_cast<float>(1 / std::sqrt(headSize))),
        lengths(lengths),
        cache(random, kvHeads, headSize, lengths) {
    for (int sequence = 0; sequence < static_cast<int>(lengths.size()); ++sequence) {
      for (int position = 0; position < lengths[static_cast<size_t>(sequence)]; ++position) {
        for (int head = 0; head < kvHeads; ++head) {
          const std::vector<float> k = random.normals(headSize), v = random.normals(headSize);
          cache.store({sequence, position}, head, k.data(), v.data());
        }
      }
    }
  }

  int heads() const { return group * cache.kvHeads; }
  int64_t columns() const { return int64_t{heads()} * cache.headSize; }
  int64_t mostPositions() const { return *std::max_element(lengths.begin(), lengths.end()); }

  // As native/tests/program_attention_test.cpp has it.
  std::vector<Bounded> expected(CachedToken token, const float* q) {
    const double joins = (token.position / kPiece + 1) * (1e-7 + 4 * kRounding);
    std::vector<Bounded> out;
    for (int head = 0; head < heads(); ++head, q += cache.headSize) {
      std::vector<double> weights, errors;
      double sum = 0, error = 0;
      for (int j = 0; j <= token.position; ++j) {
        double score = 0, sizes = 0;
        for (int d = 0; d < cache.headSize; ++d) {
          const double product = static_cast<double>(q[d]) * scale * cache.k({token.sequence, j}, head / group, d);
          score += product;
          sizes += std::abs(product);
        }
        weights.push_back(std::exp(score));
        errors.push_back((cache.headSize + 2) * kRounding * sizes + 20 * kRounding + 1e-7 + kPiece * kRounding + joins);
        sum += weights.back();
        error += weights.back() * errors.back();
      }
      for (int d = 0; d < cache.headSize; ++d) {
        Bounded element;
        for (int j = 0; j <= token.position; ++j) {
          const double part = weights[static_cast<size_t>(j)] / sum * cache.v({token.sequence, j}, head / group, d);
          element.value += part;
          element.tolerance += std::abs(part) * (errors[static_cast<size_t>(j)] + error / sum + 2 * kRounding);
        }
        out.push_back(element);
      }
    }
    return out;
  }
};

class GpuAttentionTest : public CacheKernelsTest {
 protected:
  // What attention gives for some tokens: with room for the pieces of so many at once, or whole if 0.
  std::vector<float> attend(const Context& context, const std::vector<CachedToken>& tokens, const std::vector<float>& q,
                            int64_t room, int64_t mostPositions = 0) {
    const PagedCache& cache = context.cache;
    const CacheOnDevice onDevice(device(), stream(), cache);
    const StepOnDevice step(device(), stream(), cache, tokens);
    const DeviceArray<float> qs(device(), stream(), q, "q");
    const DeviceArray<float> out(device(), stream(), std::vector<float>(q.size(), notANumber()), "out");
    AttentionCall call{.q = qs.input(),
                       .out = out.span(),
                       .tokens = step.tokens(onDevice),
                       .layer = onDevice.layer(),
                       .heads = context.heads(),
                       .mostPositions = mostPositions > 0 ? mostPositions : context.mostPositions(),
                       .scale = context.scale,
                       .work = {}};
    const DeviceArray<float> work(device(), room * attentionWorkFloats(call.heads, cache.headSize, call.mostPositions),
                                  "work");
    if (room > 0) call.work = work.span();
    EXPECT_TRUE(ok(kernels().attention(&stream(), call)));
    return out.read(stream());
  }

  static std::span<const float> row(const Context& context, const std::vector<float>& from, size_t token) {
    return std::span(from).subspan(token * static_cast<size_t>(context.columns()),
                                   static_cast<size_t>(context.columns()));
  }
};
INSTANTIATE_TEST_SUITE_P(Views, GpuAttentionTest, ::testing::Bool(), viewsOfTest);

// Stretches of prompts and single tokens of some sequences, in any order; also the same token twice.
std::vector<CachedToken> someTokens(Random& random, const std::vector<int>& lengths, int most) {
  std::vector<CachedToken> tokens;
  const int wanted = random.integer(1, most);
  while (static_cast<int>(tokens.size()) < wanted) {
    const auto sequence = static_cast<size_t>(random.between(0, static_cast<int64_t>(lengths.size()) - 1));
    const int length = lengths[sequence];
    int position = random.integer(0, length - 1);
    if (random.chance(0.3)) position = length - 1;
    if (random.chance(0.3)) position = std::min(length - 1, kPiece - random.integer(0, 3));
    for (int left = random.chance(0.5) ? 1 : random.integer(1, most); left > 0 && position < length; --left)
      tokens.push_back({static_cast<int>(sequence), position++});
  }
  return tokens;
}

int randomLength(Random& random) {
  return random.chance(0.5) ? random.pick(std::initializer_list<int>{1, 15, 16, 17, 255, 256, 257, 512, 513})
                            : random.integer(1, 600);
}

TEST_P(GpuAttentionTest, NearDoublePrecisionAndTheSameBitsInAnyCompany) {
  static constexpr int kHeadSizes[] = {32, 64, 80, 96, 100, 128, 192, 256, 4};
  for (int round = 0; round < rounds(GetParam() ? 12 : 30); ++round) {
    Random random("gpu attention", static_cast<uint64_t>(round));
    const int kvHeads = random.integer(1, 2), headSize = random.pick(kHeadSizes),
              group = random.pick(std::initializer_list<int>{1, 1, 2, 3, 4, 5, 7, 8, 12, 20});
    std::vector<int> lengths;
    for (int i = random.integer(1, 3); i > 0; --i) lengths.push_back(randomLength(random));
    Context context(random, kvHeads, group, headSize, lengths);
    const std::vector<CachedToken> tokens = someTokens(random, lengths, GetParam() ? 9 : 20);
    const auto count = static_cast<int64_t>(tokens.size());
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << count << " tokens, " << kvHeads << " KV heads of " << headSize << " for " << group << " each");
    const std::vector<float> q = random.normals(count * context.columns());

    arrange(random);
    const std::vector<float> whole = attend(context, tokens, q, 0);
    arrange(random);
    ASSERT_TRUE(sameBits(whole, attend(context, tokens, q, count))) << "in pieces";
    ASSERT_TRUE(sameBits(whole, attend(context, tokens, q, random.integer(1, 3)))) << "in pieces, a few at once";
    for (int sample = 0; sample < 3; ++sample) {
      const auto token = static_cast<size_t>(random.between(0, count - 1));
      const auto part = row(context, q, token), result = row(context, whole, token);
      const std::vector<float> alone(part.begin(), part.end());
      ASSERT_TRUE(sameBits(result, attend(context, {tokens[token]}, alone, 0))) << "token " << token << " alone";
      ASSERT_TRUE(sameBits(result, attend(context, {tokens[token]}, alone, 1))) << "token " << token << " in pieces";
      const std::vector<Bounded> expected = context.expected(tokens[token], alone.data());
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_TRUE(within(result[i], expected[i])) << "token " << token << ", element " << i;
    }
  }
}

// A key or value that is no number spoils those tokens that see it, and their bits only.
TEST_P(GpuAttentionTest, NotANumberIsSeenByThoseAfterItAlone) {
  for (int round = 0; round < rounds(10); ++round) {
    Random random("gpu attention NaN", static_cast<uint64_t>(round));
    arrange(random);
    const int group = random.integer(1, 5), length = random.integer(20, 300), headSize = 20;
    const Context clean(random, 1, group, headSize, {length});
    Context spoilt = clean;
    const int bad = length - 1 - random.integer(0, 8);
    const bool inKey = random.chance(0.5);
    std::vector<float> k(20, 0.5f), v(20, 0.5f);
    (inKey ? k : v)[7] = random.chance(0.5) ? notANumber() : infinity();
    spoilt.cache.store({0, bad}, 0, k.data(), v.data());
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << length << " positions, " << bad << " spoilt");
    std::vector<CachedToken> tokens;
    for (int position = length - 12; position < length; ++position) tokens.push_back({0, position});
    const std::vector<float> q = random.normals(static_cast<int64_t>(tokens.size()) * clean.columns());
    const std::vector<float> before = attend(clean, tokens, q, 0), after = attend(spoilt, tokens, q, 12);
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].position < bad) {
        EXPECT_TRUE(sameBits(row(clean, before, i), row(clean, after, i))) << "position " << tokens[i].position;
        continue;
      }
      for (int head = 0; head < group; ++head) {
        const auto result = row(clean, after, i).subspan(static_cast<size_t>(head * headSize), headSize);
        // An infinite key makes the weight 0 where the query's element is below 0.
        if (!inKey || std::isnan(k[7])) {
          EXPECT_FALSE(std::isfinite(result[7])) << "position " << tokens[i].position;
        }
      }
    }
  }
}

// Positions, tables and blocks that cannot be give NaN, whoever is beside them.
TEST_P(GpuAttentionTest, IndicesOutOfRangeGiveNotANumber) {
  Random random("gpu attention nowhere");
  Context context(random, 2, 2, 32, {300, 40});
  PagedCache& cache = context.cache;
  const auto entries = static_cast<int>(cache.blocks.size());
  cache.tables.insert(cache.tables.end(), {-3, entries, entries - 1, 0x7fffffff, -0x7fffffff - 1});
  const std::vector<CachedToken> tokens = {
      {0, 299}, {0, -1}, {0, 0},  {0, 1},  {0, 300}, {0, 0x7fffffff}, {0, -0x7fffffff - 1},
      {2, 290}, {3, 0},  {4, 17}, {1, 39}, {5, 5},   {6, 299}};
  const std::vector<float> q = random.normals(static_cast<int64_t>(tokens.size()) * context.columns());
  for (const int64_t room : {0, 13}) {
    const std::vector<float> out = attend(context, tokens, q, room);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool possible = tokens[i].sequence < 2 && tokens[i].position >= 0 && tokens[i].position < 300;
      const auto result = row(context, out, i), part = row(context, q, i);
      for (const float value : result) ASSERT_EQ(possible, !std::isnan(value)) << "token " << i;
      if (!possible) continue;
      const std::vector<float> alone(part.begin(), part.end());
      EXPECT_TRUE(sameBits(result, attend(context, {tokens[i]}, alone, 0))) << "token " << i;
    }
  }
}

// What the launcher was told about the longest context changes nothing.
TEST_P(GpuAttentionTest, MorePositionsThanThereAre) {
  Random random("gpu attention positions");
  const Context context(random, 1, 4, 64, {270});
  const std::vector<CachedToken> tokens = {{0, 269}, {0, 3}, {0, 256}};
  const std::vector<float> q = random.normals(3 * context.columns());
  const std::vector<float> exact = attend(context, tokens, q, 0);
  EXPECT_TRUE(sameBits(exact, attend(context, tokens, q, 3, 2000)));
  EXPECT_TRUE(sameBits(exact, attend(context, tokens, q, 0, 2000)));
}

TEST_P(GpuAttentionTest, HeadsThatItDoesNotTakeAreNamed) {
  Random random("gpu attention refusals");
  const PagedCache cache(random, 2, 32, {16});
  const CacheOnDevice onDevice(device(), stream(), cache);
  const StepOnDevice step(device(), stream(), cache, {{0, 0}});
  const DeviceArray<float> q(device(), 64), out(device(), 64);
  const AttentionCall call{.q = q.input(),
                           .out = out.span(),
                           .tokens = step.tokens(onDevice),
                           .layer = onDevice.layer(),
                           .heads = 2,
                           .mostPositions = 16,
                           .scale = 1,
                           .work = {}};
  for (const int headSize : {260, 30, 0}) {
    AttentionCall wrong = call;
    wrong.layer.headSize = headSize;
    EXPECT_TRUE(refuses(kernels().attention(&stream(), wrong), "the size of heads must be a multiple of 4, up to 256"));
  }
  AttentionCall wrong = call;
  wrong.heads = 3;
  EXPECT_TRUE(refuses(kernels().attention(&stream(), wrong), "the heads must be a multiple of the KV heads"));
}

}  // namespace
}  // namespace td::testing
