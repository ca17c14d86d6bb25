// The machine's limits: how fast memory can be read, and how many operations of each kind the cores can do. What a
// kernel reaches is a fraction of one of these. They are measured by the library (cpu/limits.h).
#include "bench.h"

namespace td::bench {
namespace {

constexpr int kMilliseconds = 100;

void limit(benchmark::State& state, td_isa isa, int threads, td_limit kind, const char* unit) {
  const int64_t device = ok(td_device_open("cpu", isaName(isa), threads, 0));
  double sum = 0;
  for (auto _ : state) sum += static_cast<double>(ok(td_device_limit(device, kind, kMilliseconds)));
  state.counters[unit] = sum * 1e-9 / static_cast<double>(state.iterations());
  td_device_close(device);
}

[[maybe_unused]] const bool registered = [] {
  for (const int threads : threadCounts()) {
    const auto add = [&](const std::string& name, td_isa isa, td_limit kind, const char* unit) {
      benchmark::RegisterBenchmark(("machine/" + name + "/threads:" + std::to_string(threads)).c_str(), limit, isa,
                                   threads, kind, unit)
          ->UseRealTime()
          ->Iterations(3)
          ->Unit(benchmark::kMillisecond);
    };
    for (const td_isa isa : isas()) {
      const std::string name = isaName(isa);
      add("read/" + name, isa, TD_LIMIT_READ, "GB/s");
      add("read_small_pages/" + name, isa, TD_LIMIT_READ_SMALL_PAGES, "GB/s");
      add("fma/" + name, isa, TD_LIMIT_F32, "GFLOP/s");
      if (isa != TD_ISA_SCALAR) add("bytes/" + name, isa, TD_LIMIT_INT8, "GOP/s");
      if (isa >= TD_ISA_AVX512) add("bf16/" + name, isa, TD_LIMIT_BF16, "GFLOP/s");
    }
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
