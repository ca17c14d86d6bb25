// The machine's limits: how fast memory can be read, and how many operations of each kind the cores can do. What a
// kernel reaches is a fraction of one of these.
#include "bench.h"
#include "core/memory.h"
#include "core/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace td::bench {
namespace {

// ---- Reading memory -----------------------------------------------------------------------------

#if defined(__x86_64__)
__attribute__((target("avx2"))) void readAll(const uint8_t* data, int64_t bytes) {
  __m256i sum[4] = {};
  for (int64_t i = 0; i < bytes; i += 128) {
    for (int lane = 0; lane < 4; ++lane) {
      sum[lane] =
          _mm256_xor_si256(sum[lane], _mm256_load_si256(reinterpret_cast<const __m256i*>(data + i + 32 * lane)));
    }
  }
  for (__m256i& each : sum) asm volatile("" : : "x"(each));
}
#else
void readAll(const uint8_t* data, int64_t bytes) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < bytes; i += 8) {
    uint64_t word;
    memcpy(&word, data + i, sizeof word);
    sum ^= word;
  }
  benchmark::DoNotOptimize(sum);
}
#endif

void readMemory(benchmark::State& state, int threads) {
  const Memory memory(static_cast<size_t>(kBeyondCaches));  // on 2 MiB pages, if the system has them
  memset(memory.data(), 1, memory.size());
  ThreadPool pool(threads);
  constexpr int64_t kPiece = int64_t{1} << 20;
  for (auto _ : state) {
    parallelFor(pool, kBeyondCaches / kPiece,
                [&](int64_t piece, int) { readAll(memory.data() + piece * kPiece, kPiece); });
  }
  rate(state, "GB", static_cast<double>(kBeyondCaches));
}

// ---- Operations ---------------------------------------------------------------------------------

constexpr int kChains = 16;      // independent, so that latency does not count
constexpr int kChainsAvx2 = 12;  // there are 16 registers
constexpr int64_t kSteps = 20'000;

#if defined(__x86_64__)
// An empty asm keeps a register's value unknown to the compiler, without moving it. The sums need one each, before the
// loop: equal ones would be computed once.

__attribute__((target("avx2,fma"))) void fmaAvx2() {
  __m256 sum[kChainsAvx2] = {}, a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (__m256& each : sum) asm volatile("" : "+x"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+x"(a));
    for (__m256& each : sum) each = _mm256_fmadd_ps(a, b, each);
  }
  for (__m256& each : sum) asm volatile("" : "+x"(each));
}
__attribute__((target("avx512f"))) void fmaAvx512() {
  __m512 sum[kChains] = {}, a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (__m512& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512& each : sum) each = _mm512_fmadd_ps(a, b, each);
  }
  for (__m512& each : sum) asm volatile("" : "+v"(each));
}
// As kernels for AVX2 multiply bytes: three instructions.
__attribute__((target("avx2"))) void bytesAvx2() {
  __m256i sum[8] = {}, a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  for (__m256i& each : sum) asm volatile("" : "+x"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    for (__m256i& each : sum) {
      asm volatile("" : "+x"(a));
      each = _mm256_add_epi32(each, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  for (__m256i& each : sum) asm volatile("" : "+x"(each));
}
__attribute__((target("avx512f,avx512vnni"))) void bytesAvx512() {
  __m512i sum[kChains] = {}, a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (__m512i& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512i& each : sum) each = _mm512_dpbusd_epi32(each, a, b);
  }
  for (__m512i& each : sum) asm volatile("" : "+v"(each));
}
__attribute__((target("avx512f,avx512bf16"))) void bf16Avx512() {
  __m512 sum[kChains] = {};
  __m512i a = _mm512_set1_epi16(0x3f00), b = _mm512_set1_epi16(0x3e80);
  for (__m512& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512& each : sum) each = _mm512_dpbf16_ps(each, (__m512bh)a, (__m512bh)b);
  }
  for (__m512& each : sum) asm volatile("" : "+v"(each));
}
#endif

// operations: of one call; a multiplication and an addition are two.
void compute(benchmark::State& state, int threads, void (*loop)(), double operations, const char* unit) {
  ThreadPool pool(threads);
  const int64_t chunks = 8 * threads;
  for (auto _ : state) parallelFor(pool, chunks, [&](int64_t, int) { loop(); });
  rate(state, unit, operations * static_cast<double>(chunks));
}

[[maybe_unused]] const bool registered = [] {
  for (const int threads : threadCounts()) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(("machine/read" + suffix).c_str(), readMemory, threads)->UseRealTime();
#if defined(__x86_64__)
    const auto add = [&](const char* name, void (*loop)(), double operations, const char* unit) {
      benchmark::RegisterBenchmark((name + suffix).c_str(), compute, threads, loop, operations, unit)->UseRealTime();
    };
    for (const td_isa isa : isas()) {
      if (isa == TD_ISA_AVX2) {
        add("machine/fma/avx2", fmaAvx2, 2.0 * kChainsAvx2 * kSteps * 8, "GFLOP");
        add("machine/bytes/avx2", bytesAvx2, 2.0 * 8 * kSteps * 32, "GOP");
      } else if (isa == TD_ISA_AVX512) {
        add("machine/fma/avx512", fmaAvx512, 2.0 * kChains * kSteps * 16, "GFLOP");
        add("machine/bytes/avx512", bytesAvx512, 2.0 * kChains * kSteps * 64, "GOP");
        add("machine/bf16/avx512", bf16Avx512, 2.0 * kChains * kSteps * 32, "GFLOP");
      }
    }
#endif
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
