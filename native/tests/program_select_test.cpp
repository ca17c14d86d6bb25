// Select through the C interface, against a plain sort and a sum in double precision.
#include "c_interface.h"
#include "logits.h"

namespace td::testing {
namespace {

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
      const std::vector<float> some = someLogits(random, vocabulary);
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
      SCOPED_TRACE(::testing::Message() << "row " << row);
      const auto of = [&](const auto& buffer, int64_t columns) {
        return buffer.all().subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
      };
      expectBest(of(logits, vocabulary), of(ids, wanted), of(values, wanted), sums[row]);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Select, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
