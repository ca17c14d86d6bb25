// The operations beside matmul: attention, encoding, norm and the end of a step.
#include <numeric>

#include "bench.h"
#include "core/kv_layout.h"

namespace td::bench {
namespace {

// `tokens` tokens at the end of a context of `context` positions; 32 query heads, 8 KV heads of 128.
void attention(benchmark::State& state, td_isa isa, int threads, int64_t context, int64_t tokens) {
  constexpr int kHeads = 32, kKvHeads = 8, kHeadSize = 128;
  const int64_t blocks = context / kKvTokens, width = int64_t{kHeads} * kHeadSize,
                blockElements = kKvHeads * kvHeadElements(kHeadSize);
  Rig rig(isa, threads, blocks * blockElements * 2 + 2 * tokens * width * 4 + (blocks + 2 * tokens) * 4 + 4096);
  rig.extent(tokens);
  std::vector<int32_t> positions(static_cast<size_t>(tokens)), table(static_cast<size_t>(blocks));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(context - tokens));
  std::iota(table.begin(), table.end(), 0);
  ok(td_op_attention(rig.program(), rig.f32(tokens, width), rig.i32(positions),
                     rig.i32(std::vector<int32_t>(positions.size(), 0)), rig.i32(table),
                     rig.tensor(TD_F16, TD_PLAIN, blocks, blockElements), rig.f32(tokens, width), 0, kHeadSize,
                     kKvHeads, 0.088));
  rig.finish();
  for (auto _ : state) rig.run();
  rate(state, "GB", static_cast<double>(blocks * blockElements * 2));
  rate(state, "GFLOP", 4.0 * static_cast<double>(tokens * context * width));
}

void encode(benchmark::State& state, td_isa isa) {
  const std::vector<float> x(4096, 0.3f);
  std::vector<Act8Block> out(x.size() / kActBlock);
  const Kernels& kernels = kernelsFor(isa);
  for (auto _ : state) {
    kernels.encode8(x.data(), static_cast<int64_t>(x.size()), out.data());
    benchmark::ClobberMemory();
  }
  rate(state, "Gelement", static_cast<double>(x.size()));
}

void rmsNorm(benchmark::State& state, td_isa isa) {
  const std::vector<float> x(4096, 0.3f), weight(4096, 1.1f);
  std::vector<float> out(x.size());
  const Kernels& kernels = kernelsFor(isa);
  for (auto _ : state) {
    kernels.rmsNorm(x.data(), weight.data(), static_cast<int64_t>(x.size()), 1e-5f, out.data());
    benchmark::ClobberMemory();
  }
  rate(state, "Gelement", static_cast<double>(x.size()));
}

// The vocabulary of Llama 3, 256 candidates.
void select(benchmark::State& state, td_isa isa, int threads, int64_t rows) {
  constexpr int64_t kVocabulary = 128'256;
  Rig rig(isa, threads, rows * kVocabulary * 4 + rows * 257 * 8 + 8192);
  const int32_t logits = rig.f32(rows, kVocabulary);
  uint64_t random = 1;
  for (int64_t i = 0; i < rows * kVocabulary; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const float value = static_cast<float>(random >> 40) * 0x1p-20f;
    memcpy(rig.data(i * 4), &value, sizeof value);
  }
  rig.extent(rows);
  ok(td_op_select(rig.program(), logits, rig.tensor(TD_I32, TD_PLAIN, rows, 256), rig.f32(rows, 256),
                  rig.f32(rows, 1)));
  rig.finish();
  for (auto _ : state) rig.run();
  rate(state, "Glogit", static_cast<double>(rows * kVocabulary));
}

[[maybe_unused]] const bool registered = [] {
  for (const td_isa isa : isas()) {
    const std::string name = isaName(isa);
    benchmark::RegisterBenchmark(("encode8/" + name).c_str(), encode, isa);
    benchmark::RegisterBenchmark(("rmsNorm/" + name).c_str(), rmsNorm, isa);
    for (const int threads : threadCounts()) {
      const std::string where = name + "/threads:" + std::to_string(threads);
      for (const int64_t context : {1024, 16384}) {
        for (const int64_t tokens : {1, 64}) {
          const std::string what = "/context:" + std::to_string(context) + "/tokens:" + std::to_string(tokens);
          benchmark::RegisterBenchmark(("attention/" + where + what).c_str(), attention, isa, threads, context, tokens)
              ->UseRealTime();
        }
      }
      for (const int64_t rows : {1, 16}) {
        benchmark::RegisterBenchmark(("select/" + where + "/rows:" + std::to_string(rows)).c_str(), select, isa,
                                     threads, rows)
            ->UseRealTime();
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
