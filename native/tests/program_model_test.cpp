// A whole model as a program: against double precision, and invariant 1 of the architecture: a token's logits are the
// same bits whatever else is computed in the same step, by however many threads, from whichever blocks and weight
// layout.
#include <algorithm>
#include <map>
#include <numeric>

#include "reference_model.h"

namespace td::testing {
namespace {

Shape shapeOf(td_type type, uint64_t variant) {
  Shape shape{.type = type};
  if (variant % 2 == 1) {
    // Partial rotation, other head counts; a vocabulary that is a multiple of 16.
    shape.rope = TD_ROPE_NEOX;
    shape.heads = 6;
    shape.kvHeads = 2;
    shape.headSize = 128;
    shape.rotated = 32;
    shape.biases = false;
    shape.vocabulary = 64;
    shape.inner = 512;
    shape.layers = 1;
  }
  return shape;
}

std::vector<int32_t> randomIds(Random& random, int count, int vocabulary) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = random.integer(0, vocabulary - 1);
  return ids;
}

// All physical blocks in random order: each sequence takes its own from the front.
std::vector<int32_t> shuffledBlocks(Random& random) {
  std::vector<int32_t> blocks(Session::kBlocks);
  std::iota(blocks.begin(), blocks.end(), 0);
  for (size_t i = blocks.size(); i > 1; --i)
    std::swap(blocks[i - 1], blocks[static_cast<size_t>(random.between(0, static_cast<int64_t>(i) - 1))]);
  return blocks;
}

using Logits = std::vector<std::vector<float>>;

// The sequence alone, a token at a time.
Logits oneByOne(Session& session, const std::vector<int32_t>& ids) {
  std::vector<int32_t> blocks(Session::kTableLength);
  std::iota(blocks.begin(), blocks.end(), 0);
  session.assign(0, blocks);
  Logits logits;
  for (size_t i = 0; i < ids.size(); ++i) logits.push_back(session.step({{ids[i], static_cast<int32_t>(i), 0}})[0]);
  return logits;
}

class ModelProgram : public ::testing::TestWithParam<std::tuple<td_isa, td_type>> {
 protected:
  td_isa isa() const { return std::get<0>(GetParam()); }
  td_type type() const { return std::get<1>(GetParam()); }
};

// Kernels are tested for accuracy one by one; here a wrong operand, order or offset would show, as an error of the size
// of the logits themselves. Where nothing rounds the other way the error is 1e-7 of them; a quant or a half that does,
// because the value before differs in its last bit, moves them by up to about a hundredth.
TEST_P(ModelProgram, AgreesWithDoublePrecision) {
  for (uint64_t variant = 0; variant < 2; ++variant) {
    SCOPED_TRACE(caseOf(variant));
    Random random("accuracy", variant);
    const TinyModel model(random, shapeOf(type(), variant));
    const auto ids = randomIds(random, 20, model.shape.vocabulary);
    Session session(model, isa(), 2, TD_TILES, 8);
    const Logits actual = oneByOne(session, ids);
    ReferenceModel reference(model, session.activationType());
    double squares = 0, errors = 0, worst = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      const std::vector<double> expected = reference.next(ids[i]);
      for (size_t j = 0; j < expected.size(); ++j) {
        const double error = std::abs(actual[i][j] - expected[j]);
        squares += expected[j] * expected[j];
        errors += error * error;
        worst = std::max(worst, error);
      }
    }
    const double count = static_cast<double>(ids.size()) * model.shape.vocabulary, size = std::sqrt(squares / count);
    const bool exact = session.activationType() == TD_F32;
    ASSERT_GT(size, 0.1);
    EXPECT_LT(std::sqrt(errors / count), size * (exact ? 1e-4 : 3e-2));
    EXPECT_LT(worst, size * (exact ? 2e-3 : 0.3));
  }
}

TEST_P(ModelProgram, LogitsDoNotDependOnCompany) {
  for (int round = 0; round < rounds(2); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("company", static_cast<uint64_t>(round));
    const TinyModel model(random, shapeOf(type(), static_cast<uint64_t>(round)));
    std::vector<std::vector<int32_t>> sequences;
    std::vector<Logits> alone;
    {
      Session session(model, isa(), 1, TD_TILES, 1);
      for (int i = 0; i < 3; ++i) {
        sequences.push_back(randomIds(random, random.integer(5, 50), model.shape.vocabulary));
        alone.push_back(oneByOne(session, sequences.back()));
      }
    }
    for (const int threads : {1, 2, 3}) {
      const td_layout layout = random.chance(0.5) && takesPlainWeights() ? TD_PLAIN : TD_TILES;
      const int capacity = random.integer(1, 60);
      SCOPED_TRACE(::testing::Message() << threads << " threads, layout " << layout << ", steps of up to " << capacity);
      Session session(model, isa(), threads, layout, capacity);
      const std::vector<int32_t> blocks = shuffledBlocks(random);
      for (int i = 0; i < 3; ++i) session.assign(i, {blocks.begin() + 16 * i, blocks.begin() + 16 * (i + 1)});
      std::vector<size_t> done(3);
      for (;;) {
        std::vector<StepToken> step;
        for (int i = 0; i < 3; ++i) {
          const size_t left = sequences[static_cast<size_t>(i)].size() - done[static_cast<size_t>(i)];
          const int room = std::min<int>(static_cast<int>(left), capacity - static_cast<int>(step.size()));
          for (int n = random.integer(0, room); n > 0; --n) {
            const size_t at = done[static_cast<size_t>(i)]++;
            step.push_back({sequences[static_cast<size_t>(i)][at], static_cast<int32_t>(at), i});
          }
        }
        // In any order: a token reads what the whole step stored.
        if (random.chance(0.3)) std::reverse(step.begin(), step.end());
        const Logits logits = session.step(step);
        for (size_t i = 0; i < step.size(); ++i) {
          const auto& expected = alone[static_cast<size_t>(step[i].sequence)][static_cast<size_t>(step[i].position)];
          ASSERT_TRUE(sameBits(logits[i], expected))
              << "sequence " << step[i].sequence << ", position " << step[i].position;
        }
        if (step.empty() && std::equal(done.begin(), done.end(), sequences.begin(),
                                       [](size_t n, const auto& ids) { return n == ids.size(); }))
          break;
      }
    }
  }
}

// The head of a step: candidates in order, and the sum over all.
TEST_P(ModelProgram, SelectAgreesWithTheLogits) {
  Random random("select");
  const TinyModel model(random, shapeOf(type(), 0));
  Session session(model, isa(), 2, TD_TILES, 8);
  session.assign(0, {3});
  const auto ids = randomIds(random, 8, model.shape.vocabulary);
  std::vector<StepToken> step;
  for (int32_t i = 0; i < 8; ++i) step.push_back({ids[static_cast<size_t>(i)], i, 0});
  const Logits logits = session.step(step);
  for (int64_t row = 0; row < 8; ++row) {
    const std::vector<float>& all = logits[static_cast<size_t>(row)];
    std::vector<int32_t> order(all.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return all[static_cast<size_t>(a)] > all[static_cast<size_t>(b)]; });
    double sum = 0;
    for (const float logit : all) sum += std::exp(static_cast<double>(logit));
    EXPECT_NEAR(std::log(sum), session.logSums()[row], 1e-5);
    for (int64_t i = 0; i < Session::kCandidates; ++i) {
      EXPECT_EQ(order[static_cast<size_t>(i)], session.candidates()[row * Session::kCandidates + i]);
      EXPECT_EQ(all[static_cast<size_t>(order[static_cast<size_t>(i)])],
                session.candidateLogits()[row * Session::kCandidates + i]);
    }
  }
}

// One damaged scale or weight of the first layer.
TEST_P(ModelProgram, DamagedWeightsAreNotFinite) {
  Random random("damaged");
  TinyModel model(random, shapeOf(type(), 0));
  std::vector<uint8_t>& bytes = model.layers[0].gate.weight.plain;
  const uint32_t nan = type() == TD_F32 ? 0x7fc00000u : type() == TD_BF16 ? 0x7fc0u : 0x7e00u;
  const size_t at =
      static_cast<size_t>(5 * plainRowBytes(formatOf(type()), model.shape.hidden) + (type() == TD_Q6_K ? 208 : 0));
  memcpy(&bytes[at], &nan, type() == TD_F32 ? 4 : 2);
  Session session(model, isa(), 2, TD_TILES, 1);
  session.assign(0, {0});
  session.counts().set({1, 1});
  EXPECT_TRUE(refused(td_program_run(session.program(), 0), TD_NOT_FINITE, "output row 0"));
}

// Threads do not know formats: two, with and without encoded activations, are enough for the thread sanitizer.
std::vector<td_type> types() {
  if (kThreadSanitizer) return {TD_F32, TD_Q4_0};
  // The emulator takes minutes there; program_kernels_test takes all formats.
  if (kAddressSanitizer && !takesPlainWeights()) return {TD_BF16, TD_Q4_0, TD_Q6_K};
  return {std::begin(kWeightTypes), std::end(kWeightTypes)};
}

INSTANTIATE_TEST_SUITE_P(All, ModelProgram,
                         ::testing::Combine(::testing::ValuesIn(deviceIsas()), ::testing::ValuesIn(types())),
                         [](const auto& info) {
                           return std::string(isaName(std::get<0>(info.param))) + "_" +
                                  typeName(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace td::testing
