// Select through the C interface, against a plain sort and a sum in double precision.
#include <algorithm>
#include <numeric>

#include "c_interface.h"

namespace td::testing {
namespace {

// Logits as models have them, and as they should not matter: many equal, sorted, far apart.
std::vector<float> randomLogits(Random& random, int64_t count) {
  std::vector<float> logits = random.normals(count, random.pick(std::initializer_list<double>{0.1, 3, 1000}));
  switch (random.integer(0, 5)) {
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
      logits.assign(logits.size(), logits[0]);
      break;
    case 4:
      // The best all in one group of 64.
      for (int64_t i = count / 128 * 64; i < std::min(count, count / 128 * 64 + 64); ++i)
        logits[static_cast<size_t>(i)] += 5000;
      break;
    default:
      break;
  }
  if (random.chance(0.2)) logits[static_cast<size_t>(random.between(0, count - 1))] = -0.0f;
  return logits;
}

class Select : public OnEachIsa {};

TEST_P(Select, CandidatesInOrderAndTheSumOfAll) {
  const Device device = openDevice(GetParam(), 3);
  for (int round = 0; round < rounds(60); ++round) {
    Random random("select", static_cast<uint64_t>(round));
    const int64_t vocabulary = random.chance(0.3) ? random.between(1, 300) : random.between(1, 40'000);
    const int64_t rows = random.between(1, 4),
                  wanted = random.chance(0.3) ? int64_t{TD_MAX_CANDIDATES} : random.between(1, TD_MAX_CANDIDATES);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << wanted << " of " << vocabulary << ", " << rows << " rows");
    const Buffer<int32_t> count(device, std::vector<int32_t>{static_cast<int32_t>(rows)}), ids(device, rows * wanted);
    const Buffer<float> logits(device, rows * vocabulary), values(device, rows * wanted), sums(device, rows);
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> some = randomLogits(random, vocabulary);
      std::copy(some.begin(), some.end(), &logits[row * vocabulary]);
    }
    const Program program(td_program_create(device));
    ok(td_program_extent(program, tensorOf(program, count, 1)));
    ok(td_op_select(program, tensorOf(program, logits, vocabulary), tensorOf(program, ids, wanted),
                    tensorOf(program, values, wanted), tensorOf(program, sums, 1)));
    ok(td_program_finish(program));
    // Twice: nothing is left from the run before.
    for (int run = 0; run < 2; ++run) ASSERT_EQ(0, td_program_run(program, 0)) << errorMessage();

    for (int64_t row = 0; row < rows; ++row) {
      const float* of = &logits[row * vocabulary];
      std::vector<int32_t> order(static_cast<size_t>(vocabulary));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return of[a] > of[b]; });
      for (int64_t i = 0; i < wanted; ++i) {
        const bool there = i < vocabulary;
        ASSERT_EQ(there ? order[static_cast<size_t>(i)] : -1, ids[row * wanted + i])
            << "row " << row << ", candidate " << i;
        ASSERT_EQ(there ? of[order[static_cast<size_t>(i)]] : -infinity(), values[row * wanted + i])
            << "row " << row << ", candidate " << i;
      }
      const double largest = of[order[0]];
      double sum = 0;
      for (int64_t i = 0; i < vocabulary; ++i) sum += std::exp(of[i] - largest);
      // The sum is within 1e-5 of itself (kernels_rows_test.cpp has it in detail), so its logarithm within 1e-5.
      const double expected = largest + std::log(sum);
      ASSERT_NEAR(expected, sums[row], 1e-5 + std::abs(expected) * 2 * kRounding) << "row " << row;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Select, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
