// The emulated device: multiply-adds per second of the kernels for GPUs, with raw views per number of host threads and
// with checked ones; and what a switch of fibers costs.
#include "bench.h"
#include "core/tiles.h"
#include "cuda/emulated/device.h"
#include "cuda/emulated/told.h"
#include "cuda/kernels/kernels.h"

namespace td::bench {
namespace {

void must(td_gpu_status status) {
  if (status == TD_GPU_OK) return;
  fprintf(stderr, "%s\n", emulated::lastMessage().c_str());
  std::abort();
}

void must(const DeviceError& error) {
  if (!error) return;
  fprintf(stderr, "%s\n", error.message().c_str());
  std::abort();
}

struct Rig {
  Rig(bool checked, int threads)
      : device({.checked = checked, .threads = threads}),
        stream(device),
        kernels(checked ? checked::gpuKernels : raw::gpuKernels) {}

  // Zeros.
  DeviceAddress allocate(int64_t bytes) {
    DeviceAddress address = 0;
    must(device.allocate(bytes, &address));
    must(stream.fill(address, 0, bytes));
    return address;
  }

  emulated::Device device;
  emulated::Stream stream;
  const GpuKernels& kernels;
};

void matMul(benchmark::State& state, bool checked, int threads, td_type type, int64_t tokens) {
  constexpr int64_t kRows = 1024, kColumns = 2048;
  Rig rig(checked, threads);
  const int64_t weightBytes = matrixBytes(formatOf(type), TD_TILES, kRows, kColumns),
                xBytes = Act8Row(kColumns).bytes();
  const MatMulCall call{.weights = {rig.allocate(weightBytes), weightBytes},
                        .x = {rig.allocate(tokens * xBytes), tokens * xBytes},
                        .bias = {},
                        .y = {rig.allocate(4 * tokens * kRows), tokens * kRows},
                        .type = type,
                        .rows = kRows,
                        .columns = kColumns,
                        .tokens = tokens,
                        .xRowBytes = xBytes,
                        .yStride = kRows};
  for (auto _ : state) {
    must(rig.kernels.matMul(&rig.stream, call));
    must(rig.stream.synchronize());
  }
  rate(state, "GMAC", static_cast<double>(kRows * kColumns * tokens));
}

void rmsNorm(benchmark::State& state, bool checked, int threads) {
  constexpr int64_t kRows = 64, kColumns = 2048;
  Rig rig(checked, threads);
  const RmsNormCall call{.x = {rig.allocate(4 * kRows * kColumns), kRows * kColumns},
                         .residual = {},
                         .weight = {rig.allocate(4 * kColumns), kColumns},
                         .sum = {},
                         .out = {rig.allocate(4 * kRows * kColumns), kRows * kColumns},
                         .rows = kRows,
                         .columns = kColumns,
                         .epsilon = 1e-5f};
  for (auto _ : state) {
    must(rig.kernels.rmsNorm(&rig.stream, call));
    must(rig.stream.synchronize());
  }
  rate(state, "Gelement", static_cast<double>(kRows * kColumns));
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  for (const bool checked : {false, true}) {
    for (const int threads : checked ? std::set<int>{1} : threadCounts()) {
      const std::string how =
          std::string("/emulated/") + (checked ? "checked" : "raw") + "/threads:" + std::to_string(threads);
      for (const td_type type : {TD_Q8_0, TD_Q4_K}) {
        for (const int64_t tokens : {1, 8, 64}) {
          add("matmul/" + typeName(type) + how + "/tokens:" + std::to_string(tokens),
              [=](benchmark::State& state) { matMul(state, checked, threads, type, tokens); });
        }
      }
      add("rms_norm" + how, [=](benchmark::State& state) { rmsNorm(state, checked, threads); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
