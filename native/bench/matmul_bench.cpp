// Matmul as programs run it, per format, instruction set, thread count and number of tokens. The weights of a run
// exceed the caches, as those of a model do: GB/s of weights is what counts for one token, GFLOP/s for many.
#include "bench.h"

namespace td::bench {
namespace {

constexpr int64_t kRows = 4096, kColumns = 4096;

void matmul(benchmark::State& state, td_type type, td_isa isa, int threads, int64_t tokens) {
  const int64_t weightBytes = ok(td_tensor_bytes(type, TD_TILES, kRows, kColumns));
  // Many tokens read each weight from the caches anyway: two matrices are enough.
  const int64_t matrices = tokens >= 64 ? 2 : std::max<int64_t>(2, kBeyondCaches / 2 / weightBytes);
  Rig rig(isa, threads, matrices * weightBytes + tokens * (kRows + kColumns) * 8 + 4096);
  rig.extent(tokens);
  const int32_t x = rig.activations(type, tokens, kColumns), out = rig.f32(tokens, kRows);
  for (int64_t i = 0; i < matrices; ++i) {
    ok(td_op_matmul(rig.program(), rig.tensor(type, TD_TILES, kRows, kColumns), x, -1, out));
  }
  rig.finish();
  for (auto _ : state) rig.run();
  rate(state, "GB", static_cast<double>(matrices * weightBytes));
  rate(state, "GFLOP", 2.0 * static_cast<double>(matrices * kRows * kColumns * tokens));
}

[[maybe_unused]] const bool registered = [] {
  for (const td_type type : {TD_F32, TD_F16, TD_BF16, TD_Q8_0, TD_Q4_0, TD_Q4_1, TD_Q4_K, TD_Q6_K}) {
    for (const td_isa isa : isas()) {
      for (const int threads : threadCounts()) {
        for (const int64_t tokens : {1, 8, 64}) {
          const std::string name = "matmul/" + typeName(type) + "/" + isaName(isa) +
                                   "/threads:" + std::to_string(threads) + "/tokens:" + std::to_string(tokens);
          benchmark::RegisterBenchmark(name.c_str(), matmul, type, isa, threads, tokens)
              ->UseRealTime()
              ->Unit(benchmark::kMillisecond);
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
