// The operations beside matmul: attention, encoding, norm and the end of a step.
#include <cmath>
#include <numeric>

#include "bench.h"
#include "core/kv_layout.h"

namespace td::bench {
namespace {

// The last `tokens` tokens of a context of `context` positions; 32 query heads for 8 KV heads. One token: in 16 layers
// one after another, as in decoding, so that the cache is beyond the processor's.
void attention(benchmark::State& state, td_isa isa, int threads, int headSize, int64_t context, int64_t tokens) {
  constexpr int kHeads = 32, kKvHeads = 8;
  const int64_t layers = tokens == 1 ? 16 : 1;
  const int64_t blocks = context / kKvTokens, width = int64_t{kHeads} * headSize,
                blockElements = layers * kKvHeads * kvHeadElements(headSize);
  Rig rig(isa, threads, blocks * blockElements * 2 + 2 * tokens * width * 4 + (blocks + 2 * tokens) * 4 + 4096);
  rig.extent(tokens);
  std::vector<int32_t> positions(static_cast<size_t>(tokens)), table(static_cast<size_t>(blocks));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(context - tokens));
  std::iota(table.begin(), table.end(), 0);
  const int32_t q = rig.f32(tokens, width), at = rig.i32(positions),
                tables = rig.i32(std::vector<int32_t>(positions.size(), 0)), blockTable = rig.i32(table),
                pool = rig.tensor(TD_F16, TD_PLAIN, blocks, blockElements), out = rig.f32(tokens, width);
  for (int64_t layer = 0; layer < layers; ++layer) {
    ok(td_op_attention(rig.program(), q, at, tables, blockTable, pool, out, layer * kvLayerBytes(kKvHeads, headSize),
                       headSize, kKvHeads, 0.088));
  }
  rig.finish();
  for (auto _ : state) rig.run();
  const auto pairs = static_cast<double>(tokens * (2 * context - tokens + 1) / 2);  // of a token and a position it sees
  rate(state, "GB", static_cast<double>(blocks * blockElements * 2));
  rate(state, "GFLOP", 4.0 * static_cast<double>(layers * width) * pairs);
}

void encode(benchmark::State& state, td_isa isa) {
  const std::vector<float> x(4096, 0.3f);
  std::vector<uint8_t> row(static_cast<size_t>(Act8Row(static_cast<int64_t>(x.size())).bytes()));
  auto* out = reinterpret_cast<Act8Block*>(row.data());
  const Kernels& kernels = kernelsFor(isa);
  for (auto _ : state) {
    kernels.encode8(x.data(), static_cast<int64_t>(x.size()), out);
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

// One token's queries and keys of a layer: 32 + 8 heads of 64.
void rope(benchmark::State& state, td_isa isa, td_rope_layout layout) {
  std::vector<float> x(40 * 64, 0.3f), angles(64);
  for (size_t i = 0; i < angles.size(); i += 2) {
    angles[i] = std::cos(static_cast<float>(i));
    angles[i + 1] = std::sin(static_cast<float>(i));
  }
  const Kernels& kernels = kernelsFor(isa);
  for (auto _ : state) {
    kernels.rope(x.data(), 40, 64, angles.data(), 32, layout);
    benchmark::ClobberMemory();
  }
  rate(state, "Gelement", static_cast<double>(x.size()));
}

void silu(benchmark::State& state, td_isa isa) {
  const std::vector<float> x(8192, 0.3f), y(8192, 1.1f);
  std::vector<float> out(x.size());
  const Kernels& kernels = kernelsFor(isa);
  for (auto _ : state) {
    kernels.silu(x.data(), y.data(), out.data(), static_cast<int64_t>(x.size()));
    benchmark::ClobberMemory();
  }
  rate(state, "Gelement", static_cast<double>(x.size()));
}

constexpr int64_t kSmallVocabulary = 49'152, kLargeVocabulary = 128'256;  // of SmolLM2, of Llama 3

// Rows of logits at the start of the rig's memory, all between 0 and 16.
int32_t spreadLogits(Rig& rig, int64_t rows, int64_t vocabulary) {
  const int32_t logits = rig.f32(rows, vocabulary);
  uint64_t random = 1;
  for (int64_t i = 0; i < rows * vocabulary; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const float value = static_cast<float>(random >> 40) * 0x1p-20f;
    memcpy(rig.data(i * 4), &value, sizeof value);
  }
  return logits;
}

// The end of a step: 256 candidates, behind so many penalties per row.
void select(benchmark::State& state, td_isa isa, int threads, int64_t vocabulary, int64_t rows, int32_t penalties) {
  constexpr int64_t kPlaces = 1024;
  Rig rig(isa, threads, rows * (vocabulary * 4 + kPlaces * 12 + 257 * 8 + 256) + 8192);
  const int32_t logits = spreadLogits(rig, rows, vocabulary);
  rig.extent(rows);
  if (penalties >= 0) {
    std::vector<int32_t> ids(static_cast<size_t>(rows * kPlaces));
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<int32_t>(i * 2654435761u % static_cast<uint64_t>(vocabulary));
    const int32_t counts = rig.i32(std::vector<int32_t>(static_cast<size_t>(rows), penalties)),
                  idsOf = rig.i32(ids, kPlaces), ones = rig.floats(std::vector<float>(ids.size(), 1.0f), kPlaces);
    ok(td_op_adjust(rig.program(), logits, counts, idsOf, ones,
                    rig.floats(std::vector<float>(ids.size(), 0), kPlaces)));
  }
  ok(td_op_select(rig.program(), logits, rig.tensor(TD_I32, TD_PLAIN, rows, 256), rig.f32(rows, 256),
                  rig.f32(rows, 1)));
  rig.finish();
  for (auto _ : state) rig.run();
  rate(state, "Glogit", static_cast<double>(rows * vocabulary));
}

// A draw from a whole row.
void pick(benchmark::State& state, td_isa isa, int threads, int64_t vocabulary, const std::vector<double>& settings) {
  Rig rig(isa, threads, vocabulary * 4 + 8192);
  const int32_t logits = spreadLogits(rig, 1, vocabulary);
  rig.extent(1);
  const int32_t best = rig.floats({16}, 1), logSum = rig.floats({25}, 1);
  ok(td_op_pick(rig.program(), logits, best, logSum, rig.i32({0}), rig.f64(settings), rig.i32({0}), rig.f32(1, 1)));
  rig.finish();
  for (auto _ : state) rig.run();
  rate(state, "Glogit", static_cast<double>(vocabulary));
}

[[maybe_unused]] const bool registered = [] {
  for (const td_isa isa : isas()) {
    const std::string name = isaName(isa);
    benchmark::RegisterBenchmark(("encode8/" + name).c_str(), encode, isa);
    benchmark::RegisterBenchmark(("rmsNorm/" + name).c_str(), rmsNorm, isa);
    benchmark::RegisterBenchmark(("rope/" + name + "/norm").c_str(), rope, isa, TD_ROPE_NORM);
    benchmark::RegisterBenchmark(("rope/" + name + "/neox").c_str(), rope, isa, TD_ROPE_NEOX);
    benchmark::RegisterBenchmark(("silu/" + name).c_str(), silu, isa);
    for (const int threads : threadCounts()) {
      const std::string where = name + "/threads:" + std::to_string(threads);
      for (const int headSize : {64, 128}) {
        for (const auto& [context, tokens] : std::initializer_list<std::pair<int64_t, int64_t>>{
                 {2048, 1}, {8192, 1}, {512, 512}, {8192, 64}, {8192, 512}}) {
          const std::string what = "/head:" + std::to_string(headSize) + "/context:" + std::to_string(context) +
                                   "/tokens:" + std::to_string(tokens);
          benchmark::RegisterBenchmark(("attention/" + where + what).c_str(), attention, isa, threads, headSize,
                                       context, tokens)
              ->UseRealTime();
        }
      }
      for (const int64_t vocabulary : {kSmallVocabulary, kLargeVocabulary}) {
        const std::string what = where + "/vocabulary:" + std::to_string(vocabulary);
        for (const int64_t rows : {1, 16}) {
          for (const int32_t penalties : {-1, 0, 64}) {
            const std::string adjusted = penalties < 0 ? "" : "/penalties:" + std::to_string(penalties);
            benchmark::RegisterBenchmark(("select/" + what + "/rows:" + std::to_string(rows) + adjusted).c_str(),
                                         select, isa, threads, vocabulary, rows, penalties)
                ->UseRealTime();
          }
        }
        const std::pair<const char*, std::vector<double>> draws[] = {{"temperature", {0, 1, 1, 0, 1.25, 0.999}},
                                                                     {"min_p", {0, 1, 1, 0.001, 1.25, 0.999}},
                                                                     {"top_p", {0, 1, 0.95, 0, 1.25, 0.999}},
                                                                     {"typical", {0, 0.95, 1, 0, 1.25, 0.999}}};
        for (const auto& [name, settings] : draws) {
          benchmark::RegisterBenchmark(("pick/" + what + "/" + name).c_str(), pick, isa, threads, vocabulary, settings)
              ->UseRealTime();
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
