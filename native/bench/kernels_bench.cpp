#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/kernels.h"

namespace {

void add(benchmark::State& state, const char* isa) {
  const auto* kernels = tandem::cpu::kernels_named(isa);
  if (kernels == nullptr) {
    state.SkipWithError("not on this processor");
    return;
  }
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<float> sum(count, 1.0f), addend(count, 0.0f);
  for (auto _ : state) {
    kernels->add(sum.data(), addend.data(), count);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}

BENCHMARK_CAPTURE(add, scalar, "scalar")->Arg(4096);
BENCHMARK_CAPTURE(add, avx2, "avx2")->Arg(4096);
BENCHMARK_CAPTURE(add, avx512, "avx512")->Arg(4096);

}  // namespace
