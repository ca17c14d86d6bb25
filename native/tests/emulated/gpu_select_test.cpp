// Adjust and Select on the emulated device, raw and checked, in all orders of threads, against plain loops, a sort and
// a sum in double precision.
#include "emulated/paged_cache.h"
#include "logits.h"

namespace td::testing {
namespace {

using GpuSelectTest = CacheKernelsTest;
INSTANTIATE_TEST_SUITE_P(Views, GpuSelectTest, ::testing::Bool(), viewsOfTest);

struct Selected {
  std::vector<int32_t> ids;
  std::vector<float> values, sums;
};

// Runs Select with outputs that nothing is known of and, beside the rows, space that it must not touch.
Selected select(Device& device, Stream& stream, const GpuKernels& kernels, const std::vector<float>& logits,
                int64_t rows, int64_t vocabulary, int64_t candidates) {
  const DeviceArray<float> of(device, stream, logits, "logits");
  const DeviceArray<int32_t> ids(device, rows * candidates, "ids");
  const DeviceArray<float> values(device, rows * candidates, "values"), sums(device, rows, "logSums");
  const DeviceArray<uint8_t> work(device, selectWorkBytes(rows, vocabulary), "work");
  EXPECT_TRUE(ok(kernels.select(&stream, {.logits = of.input(),
                                          .ids = ids.span(),
                                          .values = values.span(),
                                          .logSums = sums.span(),
                                          .work = work.span(),
                                          .rows = rows,
                                          .vocabulary = vocabulary,
                                          .candidates = candidates})));
  return {ids.read(stream), values.read(stream), sums.read(stream)};
}

TEST_P(GpuSelectTest, CandidatesInOrderAndTheSumOfAll) {
  for (int round = 0; round < rounds(40); ++round) {
    Random random("gpu select", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t vocabulary = random.chance(0.4)   ? random.between(1, 300)
                               : random.chance(0.1) ? kSelectPart * random.between(1, 2)
                                                    : random.between(1, 14'000);
    const int64_t rows = random.between(1, 3),
                  candidates = random.chance(0.3) ? random.pick(std::initializer_list<int64_t>{1, TD_MAX_CANDIDATES})
                                                  : random.between(1, TD_MAX_CANDIDATES);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << candidates << " of " << vocabulary << ", " << rows << " rows");
    std::vector<float> logits;
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> some = someLogits(random, vocabulary);
      logits.insert(logits.end(), some.begin(), some.end());
    }
    const Selected all = select(device(), stream(), kernels(), logits, rows, vocabulary, candidates);
    for (int64_t row = 0; row < rows; ++row) {
      SCOPED_TRACE(::testing::Message() << "row " << row);
      const auto of = [&](const auto& values, int64_t columns) {
        return std::span(values).subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
      };
      expectBest(of(logits, vocabulary), of(all.ids, candidates), of(all.values, candidates),
                 all.sums[static_cast<size_t>(row)]);
      if (HasFailure()) return;
    }
    // A row by itself gives the same bits, in whatever order the threads go.
    const int64_t row = random.between(0, rows - 1);
    const auto first = logits.begin() + row * vocabulary;
    arrange(random);
    const Selected alone =
        select(device(), stream(), kernels(), std::vector<float>(first, first + vocabulary), 1, vocabulary, candidates);
    ASSERT_TRUE(sameBits(all.sums[static_cast<size_t>(row)], alone.sums[0]));
  }
}

// As large as they come.
TEST_P(GpuSelectTest, AVocabularyOf300000) {
  if (kSanitizer) GTEST_SKIP() << "takes long under a sanitizer; smaller vocabularies are tested there";
  Random random("gpu select large");
  constexpr int64_t kVocabulary = 300'001;
  for (const bool equal : {false, true}) {
    const std::vector<float> logits = equal ? std::vector<float>(kVocabulary, -1.5f) : random.normals(kVocabulary, 4);
    const Selected selected = select(device(), stream(), kernels(), logits, 1, kVocabulary, TD_MAX_CANDIDATES);
    SCOPED_TRACE(equal);
    expectBest(logits, selected.ids, selected.values, selected.sums[0]);
  }
}

TEST_P(GpuSelectTest, ARowThatIsNotFinite) {
  for (int round = 0; round < rounds(40); ++round) {
    Random random("gpu select not finite", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t vocabulary = random.between(1, 9000), candidates = random.between(1, TD_MAX_CANDIDATES);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << candidates << " of " << vocabulary);
    std::vector<float> logits = random.normals(3 * vocabulary);
    const float minusNan = std::bit_cast<float>(0xffffffffu);
    logits[static_cast<size_t>(vocabulary + random.between(0, vocabulary - 1))] =
        random.pick(std::initializer_list<float>{notANumber(), minusNan, infinity(), -infinity()});
    const Selected all = select(device(), stream(), kernels(), logits, 3, vocabulary, candidates);
    for (int64_t row = 0; row < 3; ++row) {
      ASSERT_EQ(row == 1, std::isnan(all.sums[static_cast<size_t>(row)])) << row;
      for (int64_t i = row * candidates; i < (row + 1) * candidates; ++i) {
        ASSERT_EQ(row == 1, std::isnan(all.values[static_cast<size_t>(i)])) << row;
        if (row == 1) {
          ASSERT_EQ(-1, all.ids[static_cast<size_t>(i)]);
        }
      }
    }
  }
}

TEST_P(GpuSelectTest, WhatCannotBeIsRefused) {
  const DeviceArray<float> floats(device(), 8);
  const DeviceArray<int32_t> ids(device(), 8);
  const DeviceArray<uint8_t> work(device(), selectWorkBytes(1, 8));
  const SelectCall call{.logits = floats.input(),
                        .ids = ids.span(),
                        .values = floats.span(),
                        .logSums = floats.span(),
                        .work = work.span(),
                        .rows = 1,
                        .vocabulary = 8,
                        .candidates = 257};
  EXPECT_TRUE(refuses(kernels().select(&stream(), call), "1 to 256 candidates"));
  SelectCall other = call;
  other.candidates = 1;
  other.rows = 2;
  EXPECT_TRUE(refuses(kernels().select(&stream(), other), "less work memory"));
  other.vocabulary = 1 << 28;
  EXPECT_TRUE(refuses(kernels().select(&stream(), other), "33 million"));
}

// ---- Adjust

float cut(float x) {
  return std::clamp(x, -kMost, kMost);  // NaN stays
}

TEST_P(GpuSelectTest, AdjustOneAfterAnother) {
  for (int round = 0; round < rounds(80); ++round) {
    Random random("gpu adjust", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(1, 9),
                  vocabulary = random.chance(0.5) ? random.between(1, 60) : random.between(1, 4000),
                  places = random.between(1, random.chance(0.5) ? 10 : 130);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << rows << " rows of " << vocabulary << ", " << places);
    std::vector<float> logits = random.normals(rows * vocabulary, 5);
    for (float& logit : logits) {
      if (random.chance(0.01)) logit = random.pick(std::initializer_list<float>{infinity(), -infinity(), kMost});
    }
    std::vector<int32_t> counts, ids;
    std::vector<float> factors, addends;
    std::vector<float> expected = logits;
    for (int64_t row = 0; row < rows; ++row) {
      counts.push_back(random.chance(0.2)   ? 0
                       : random.chance(0.1) ? random.pick(std::initializer_list<int32_t>{-5, 0x7fffffff})
                                            : static_cast<int32_t>(random.between(0, places)));
      const int64_t count = std::min<int64_t>(counts.back(), places);
      for (int64_t i = 0; i < places; ++i) {
        int32_t id = static_cast<int32_t>(random.between(0, vocabulary - 1));
        if (i > 0 && random.chance(0.2)) id = ids.back();
        if (random.chance(0.03)) {
          id = random.pick(std::initializer_list<int32_t>{-1, static_cast<int32_t>(vocabulary), 0x7fffffff});
        }
        ids.push_back(id);
        factors.push_back(random.pick(std::initializer_list<float>{1, 1, 1.1f, 2, 0.5f, 1e-30f, 0x1p-149f, kMost}));
        addends.push_back(random.chance(0.1) ? random.pick(std::initializer_list<float>{infinity(), -infinity()})
                                             : static_cast<float>(random.uniform(-10, 10)));
        if (random.chance(0.005))
          factors.back() = random.pick(std::initializer_list<float>{0, -1, infinity(), notANumber()});
        if (random.chance(0.005)) addends.back() = notANumber();
        if (i >= count || id < 0 || id >= vocabulary) continue;
        float& logit = expected[static_cast<size_t>(row * vocabulary + id)];
        const float factor = factors.back(), addend = addends.back();
        if (!std::isfinite(logit)) continue;
        const bool possible = factor > 0 && factor < infinity();
        const float scaled = logit > 0 ? logit / factor : logit * factor;
        logit = possible ? cut(cut(scaled) + addend) : notANumber();
      }
    }
    const DeviceArray<float> of(device(), stream(), logits, "logits"), by(device(), stream(), factors, "factors"),
        plus(device(), stream(), addends, "addends");
    const DeviceArray<int32_t> countArray(device(), stream(), counts, "counts"),
        idArray(device(), stream(), ids, "ids");
    ASSERT_TRUE(ok(kernels().adjust(&stream(), {.logits = of.span(),
                                                .counts = countArray.input(),
                                                .ids = idArray.input(),
                                                .factors = by.input(),
                                                .addends = plus.input(),
                                                .rows = rows,
                                                .vocabulary = vocabulary,
                                                .places = places})));
    ASSERT_TRUE(sameBits(expected, of.read(stream())));
  }
}

}  // namespace
}  // namespace td::testing
