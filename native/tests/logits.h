// Rows of logits for tests of Select, and what it must make of them, by a plain sort and a sum in double precision.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>

#include "testing.h"

namespace td::testing {

constexpr float kMost = std::numeric_limits<float>::max();

// Logits as models have them, and as they should not matter.
inline std::vector<float> someLogits(Random& random, int64_t count) {
  std::vector<float> logits = random.normals(count, random.pick(std::initializer_list<double>{0.1, 3, 1000}));
  switch (random.integer(0, 7)) {
    case 0:
      for (float& logit : logits) logit = std::nearbyint(logit);
      break;
    case 1:
      std::sort(logits.begin(), logits.end());
      break;
    case 2:
      std::sort(logits.begin(), logits.end(), std::greater<>());
      break;
    case 3:
      std::fill(logits.begin(), logits.end(), random.pick(std::initializer_list<float>{0, -0.0f, 7, kMost, -kMost}));
      break;
    case 4:  // all but a few banned
      for (float& logit : logits) {
        if (random.chance(0.99)) logit = -kMost;
      }
      break;
    case 5:  // the best all beside one another
      for (int64_t i = count / 2; i < std::min(count, count / 2 + 300); ++i) logits[static_cast<size_t>(i)] += 5000;
      break;
    case 6:
      for (float& logit : logits) logit = random.pick(std::initializer_list<float>{0, -0.0f, 0x1p-149f, -0x1p-149f});
      break;
    default:
      break;
  }
  if (random.chance(0.2)) logits[static_cast<size_t>(random.between(0, count - 1))] = kMost;
  return logits;
}

// The candidates are the best in their order, with their logits' bits, and the sum is that of all. The sum is within
// 1e-5 of itself (kernels_rows_test.cpp has it in detail), so its logarithm within 1e-5.
inline void expectBest(std::span<const float> logits, std::span<const int32_t> ids, std::span<const float> values,
                       float sum) {
  const auto vocabulary = static_cast<int64_t>(logits.size());
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool there = i < order.size();
    ASSERT_EQ(there ? order[i] : -1, ids[i]) << "candidate " << i;
    ASSERT_TRUE(sameBits(there ? logit(order[i]) : -infinity(), values[i])) << "candidate " << i;
  }
  const double largest = logit(order[0]);
  double all = 0;
  for (int64_t i = 0; i < vocabulary; ++i) all += std::exp(logits[static_cast<size_t>(i)] - largest);
  const double expected = largest + std::log(all);
  ASSERT_NEAR(expected, sum, 1e-5 + std::abs(expected) * 2 * kRounding);
}

}  // namespace td::testing
