// Attention over long contexts through the C interface: however the operation is cut (a chunk per piece of context, or
// per token and KV head), the bits are the same, and near double precision.
#include <algorithm>
#include <numeric>

#include "attention_context.h"
#include "c_interface.h"
#include "cpu/cpu_operation.h"

namespace td::testing {
namespace {

// A context in the cache of a device, in random blocks of the second of two layers; attention for any of its tokens.
class CachedContext {
 public:
  CachedContext(Random& random, const Context& context, td_isa isa, int threads)
      : c_(context),
        device_(openDevice(isa, threads)),
        count_(device_, 1),
        positions_(device_, c_.positions),
        tables_(device_, c_.positions),
        blocks_(device_, permutation(random, kMargin + (c_.positions + kKvTokens - 1) / kKvTokens)),
        pool_(device_, blocks_.size() * layerElements() * 2),
        q_(device_, c_.q),
        k_(device_, c_.k),
        v_(device_, c_.v),
        out_(device_, int64_t{c_.positions} * c_.width()),
        store_(td_program_create(device_)),
        attend_(td_program_create(device_)) {
    pool_.fill(0xffff);
    std::iota(positions_.data(), positions_.data() + c_.positions, 0);
    tables_.fill(kMargin);
    count_[0] = c_.positions;
    const int64_t layer = 2 * layerElements();
    ok(td_program_extent(store_, tensorOf(store_, count_, 1)));
    ok(td_op_store_kv(store_, tensorOf(store_, k_, c_.kvWidth()), tensorOf(store_, v_, c_.kvWidth()),
                      tensorOf(store_, positions_, 1), tensorOf(store_, tables_, 1), tensorOf(store_, blocks_, 1),
                      tensorOf(store_, pool_, 2 * layerElements()), layer, c_.headSize));
    ok(td_program_finish(store_));
    EXPECT_EQ(0, td_program_run(store_, 0)) << errorMessage();
    ok(td_program_extent(attend_, tensorOf(attend_, count_, 1)));
    ok(td_op_attention(attend_, tensorOf(attend_, q_, c_.width()), tensorOf(attend_, positions_, 1),
                       tensorOf(attend_, tables_, 1), tensorOf(attend_, blocks_, 1),
                       tensorOf(attend_, pool_, 2 * layerElements()), tensorOf(attend_, out_, c_.width()), layer,
                       c_.headSize, c_.kvHeads, c_.scale()));
    ok(td_program_finish(attend_));
  }

  // One row of results per token. shifts: a token's sequence begins so many blocks later; none = no token's does.
  std::vector<std::vector<float>> attend(const std::vector<int32_t>& tokens, const std::vector<int32_t>& shifts = {}) {
    count_[0] = static_cast<int32_t>(tokens.size());
    const int64_t width = c_.width();
    for (size_t i = 0; i < tokens.size(); ++i) {
      positions_[static_cast<int64_t>(i)] = tokens[i];
      tables_[static_cast<int64_t>(i)] = kMargin + (shifts.empty() ? 0 : shifts[i]);
      std::copy_n(c_.q.data() + tokens[i] * width, width, &q_[static_cast<int64_t>(i) * width]);
    }
    out_.fill(notANumber());
    EXPECT_EQ(0, td_program_run(attend_, 0)) << errorMessage();
    std::vector<std::vector<float>> rows;
    for (int64_t i = 0; i < count_[0]; ++i) rows.emplace_back(&out_[i * width], &out_[i * width] + width);
    return rows;
  }

 private:
  static constexpr int kMargin = 3;  // entries of the block table that belong to nobody

  int64_t layerElements() const { return c_.kvHeads * kvHeadElements(c_.headSize); }

  const Context& c_;
  Device device_;
  Buffer<int32_t> count_, positions_, tables_, blocks_;
  Buffer<uint16_t> pool_;
  Buffer<float> q_, k_, v_, out_;
  Program store_, attend_;
};

class LongContext : public OnEachIsa {};

TEST_P(LongContext, OneTokenInPiecesAndManyTokensWholeGiveTheSameBits) {
  static constexpr int kHeadSizes[] = {8, 64, 80, 100, 128};
  for (int round = 0; round < rounds(6); ++round) {
    Random random("long context", static_cast<uint64_t>(round));
    const int kvHeads = random.integer(1, 3), group = random.integer(1, 5), headSize = random.pick(kHeadSizes);
    const int positions =
        random.chance(0.3) ? random.pick(std::initializer_list<int>{256, 257, 512, 513}) : random.integer(300, 1100);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round))
                 << kvHeads << " KV heads of " << headSize << " for " << group << " each, " << positions);
    const Context context(random, kvHeads, group, headSize, positions);
    // One token on 8 threads is computed in pieces, all tokens on 1 thread whole.
    CachedContext one(random, context, GetParam(), 8), many(random, context, GetParam(), 1),
        few(random, context, GetParam(), 3);
    std::vector<int32_t> tokens(static_cast<size_t>(positions));
    std::iota(tokens.begin(), tokens.end(), 0);
    const auto all = many.attend(tokens);
    for (int sample = 0; sample < 12; ++sample) {
      // The last token, those on both sides of a piece's end, and any.
      const std::initializer_list<int> chosen = {positions - 1, kPiece - 1, std::min(kPiece, positions - 1), 0};
      const int token = sample < 4 ? std::data(chosen)[sample] : random.integer(0, positions - 1);
      const auto& whole = all[static_cast<size_t>(token)];
      ASSERT_TRUE(sameBits(one.attend({token})[0], whole)) << "token " << token;
      // Tokens of different lengths together: some have fewer pieces than the longest.
      const int other = random.integer(0, positions - 1);
      const auto two = few.attend({other, token});
      ASSERT_TRUE(sameBits(two[1], whole)) << "token " << token << " beside " << other;
      ASSERT_TRUE(sameBits(two[0], all[static_cast<size_t>(other)])) << "token " << other << " beside " << token;
      if (sample < 3) {
        const auto expected = expectedOf(context, token);
        for (size_t i = 0; i < expected.size(); ++i)
          ASSERT_TRUE(within(whole[i], expected[i])) << "token " << token << ", element " << i;
      }
    }
  }
}

// Steps as a server makes them: stretches of prompts and single tokens of several sequences, in any order and number,
// on any number of threads. A sequence is told by its block table alone: two may meet at positions that follow one
// another.
TEST_P(LongContext, MixedSequencesGiveTheBitsOfEachByItself) {
  for (int round = 0; round < rounds(12); ++round) {
    Random random("mixed sequences", static_cast<uint64_t>(round));
    const int kvHeads = random.integer(1, 3), group = random.pick(std::initializer_list<int>{1, 2, 4, 5, 7, 13});
    const int headSize = random.pick(std::initializer_list<int>{16, 64, 72}), positions = random.integer(280, 700);
    const int threads = random.pick(std::initializer_list<int>{1, 2, 7});
    const Context context(random, kvHeads, group, headSize, positions);
    CachedContext cache(random, context, GetParam(), threads), single(random, context, GetParam(), 1);
    std::vector<int32_t> tokens, shifts;
    const int wanted = random.chance(0.3) ? random.integer(1, 6) : random.integer(1, 150);
    while (static_cast<int>(tokens.size()) < wanted) {
      const int shift = random.integer(0, 3), last = positions - 1 - shift * kKvTokens;
      const bool meets = !tokens.empty() && tokens.back() < last && random.chance(0.3);
      int token = meets ? tokens.back() + 1 : random.integer(0, last);
      for (int length = random.chance(0.5) ? 1 : random.integer(1, 90); length > 0 && token <= last;
           --length, ++token) {
        tokens.push_back(token);
        shifts.push_back(shift);
      }
    }
    tokens.resize(static_cast<size_t>(wanted));
    shifts.resize(static_cast<size_t>(wanted));
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << wanted << " tokens on " << threads << " threads, " << kvHeads
                                                      << " KV heads of " << headSize << " for " << group << " each");
    const auto all = cache.attend(tokens, shifts);
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_TRUE(sameBits(single.attend({tokens[i]}, {shifts[i]})[0], all[i]))
          << "row " << i << ": position " << tokens[i] << ", shift " << shifts[i];
    }
  }
}

// More pieces than there is room for results, of ten tokens that are not neighbours.
TEST_P(LongContext, VeryLong) {
  Random random("very long");
  const Context context(random, 3, 1, 8, 9001);
  CachedContext cache(random, context, GetParam(), 8);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 10; ++i) tokens.push_back(9000 - i * i);
  const auto ten = cache.attend(tokens);  // 30 pairs of 36 pieces, more than 1,024
  for (size_t i = 0; i < tokens.size(); ++i) ASSERT_TRUE(sameBits(cache.attend({tokens[i]})[0], ten[i])) << tokens[i];
  const auto expected = expectedOf(context, 9000);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(within(ten[0][i], expected[i])) << i;
}

// Contexts that are joined window by window, whose ends lie anywhere in them, give the bits of whole ones.
TEST_P(LongContext, InWindowsOfPieces) {
  Random random("windows");
  const int last = 41'004;
  const Context context(random, 6, 1, 4, last + 1);  // 161 pieces for each of 6 pairs
  CachedContext whole(random, context, GetParam(), 1), two(random, context, GetParam(), 2),
      five(random, context, GetParam(), 5);
  std::vector<int32_t> neighbours(14);  // most of them one unit, whose pieces have that many results
  std::iota(neighbours.begin(), neighbours.end(), last - 13);
  const std::vector<int32_t> steps[] = {{last}, neighbours, {7, last, 300, 20'000}};
  for (const auto& tokens : steps) {
    const auto expected = whole.attend(tokens), onTwo = two.attend(tokens), onFive = five.attend(tokens);
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_TRUE(sameBits(expected[i], onTwo[i])) << tokens.size() << " tokens, token " << i;
      ASSERT_TRUE(sameBits(expected[i], onFive[i])) << tokens.size() << " tokens, token " << i;
    }
  }
  const auto expected = expectedOf(context, last);
  const auto actual = five.attend({last})[0];
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(within(actual[i], expected[i])) << i;
}

// The operation by itself, in memory of exactly the size that it asks for, its chunks in any order.
TEST_P(LongContext, WindowsKeepAllThreadsBusyInTheMemoryThatIsAskedFor) {
  Random random("windows by themselves");
  constexpr int kKvHeads = 4, kGroup = 2, kHeadSize = 8, kTokens = 6, kPositions = 100 * kPiece;
  constexpr int64_t kWidth = kKvHeads * kGroup * kHeadSize, kBlocks = kPositions / kKvTokens;
  std::vector<uint16_t> pool(static_cast<size_t>(kBlocks * kKvHeads * kvHeadElements(kHeadSize)));
  for (uint16_t& element : pool) element = floatToHalf(static_cast<float>(random.normal()));
  std::vector<int32_t> positions(kTokens), tables(kTokens, 0), blocks = permutation(random, kBlocks);
  std::iota(positions.begin(), positions.end(), kPositions - kTokens);
  const std::vector<float> q = random.normals(kTokens * kWidth);
  const auto tensor = [](const void* data, int64_t rows, int64_t rowBytes, int64_t columns) {
    return Tensor{
        .data = static_cast<uint8_t*>(const_cast<void*>(data)), .rows = rows, .columns = columns, .rowBytes = rowBytes};
  };
  const auto outputs = [&](int threads) {
    Poisoned<float> out(kTokens * kWidth);
    const CachedTokens tokens{.positions = tensor(positions.data(), kTokens, 4, 1),
                              .tables = tensor(tables.data(), kTokens, 4, 1),
                              .blocks = tensor(blocks.data(), kBlocks, 4, 1),
                              .pool = tensor(pool.data(), kBlocks, kKvHeads * kvHeadElements(kHeadSize) * 2,
                                             kKvHeads * kvHeadElements(kHeadSize)),
                              .layerOffset = 0,
                              .headSize = kHeadSize,
                              .kvHeads = kKvHeads};
    const auto operation = makeAttention({.q = tensor(q.data(), kTokens, kWidth * 4, kWidth),
                                          .out = tensor(out.data(), kTokens, kWidth * 4, kWidth),
                                          .tokens = tokens,
                                          .scale = 0.3f},
                                         {kernels(), threads});
    const Poisoned<uint8_t> shared(operation->work().shared), scratch(operation->work().perWorker);
    operation->useShared(shared.data());
    std::vector<int64_t> windows;  // their chunks
    for (int pass = 0; pass < operation->passes(); ++pass) {
      const int64_t chunks = operation->open(pass, kTokens);
      if (pass % 2 == 0) windows.push_back(chunks);
      std::vector<int32_t> order = permutation(random, static_cast<int>(chunks));
      for (const int32_t chunk : order) operation->run(pass, chunk, scratch.data());
    }
    if (threads == 1) {
      EXPECT_EQ(1u, windows.size()) << "whole";
    } else {
      EXPECT_LT(2u, windows.size());
      windows.pop_back();  // the rest
      for (const int64_t chunks : windows) EXPECT_GE(chunks, 2 * threads);
    }
    EXPECT_TRUE(out.intact() && shared.intact() && scratch.intact());
    return std::vector<float>(out.begin(), out.end());
  };
  const auto whole = outputs(1);
  for (const float value : whole) ASSERT_TRUE(std::isfinite(value));
  for (const int threads : {2, 16, 40}) EXPECT_TRUE(sameBits(whole, outputs(threads))) << threads;
}

INSTANTIATE_TEST_SUITE_P(Isa, LongContext, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
