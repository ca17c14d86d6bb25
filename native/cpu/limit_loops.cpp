// The loops that show what the cores can do at most. Compiled once per instruction set, as every kernel source.
//
// An empty asm keeps a register's value unknown to the compiler, without moving it. The sums need one each, before the
// loop: equal ones would be computed once. And one of the factors needs one per step: what does not change in a loop is
// computed before it.
#include "cpu/limits.h"
#include "cpu/simd.h"

namespace td::TD_ISA {
namespace {

constexpr int64_t kSteps = 10'000;

#if TD_LEVEL == 2

constexpr int kChains = 16;  // independent, so that latency does not count

void f32() {
  __m512 sum[kChains] = {}, a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (__m512& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512& each : sum) each = _mm512_fmadd_ps(a, b, each);
  }
  for (__m512& each : sum) asm volatile("" : "+v"(each));
}

void int8() {
  __m512i sum[kChains] = {}, a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (__m512i& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512i& each : sum) each = _mm512_dpbusd_epi32(each, a, b);
  }
  for (__m512i& each : sum) asm volatile("" : "+v"(each));
}

void bf16() {
  __m512 sum[kChains] = {};
  __m512i a = _mm512_set1_epi16(0x3f00), b = _mm512_set1_epi16(0x3e80);
  for (__m512& each : sum) asm volatile("" : "+v"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+v"(a));
    for (__m512& each : sum) each = _mm512_dpbf16_ps(each, (__m512bh)a, (__m512bh)b);
  }
  for (__m512& each : sum) asm volatile("" : "+v"(each));
}

constexpr LimitLoop kF32 = {f32, 2.0 * kChains * kSteps * 16};
constexpr LimitLoop kInt8 = {int8, 2.0 * kChains * kSteps * 64};
constexpr LimitLoop kBf16 = {bf16, 2.0 * kChains * kSteps * 32};

void read(const uint8_t* data, int64_t bytes) {
  __m512i sum[4] = {};
  for (int64_t i = 0; i < bytes; i += 256) {
    for (int lane = 0; lane < 4; ++lane)
      sum[lane] = _mm512_xor_si512(sum[lane], _mm512_load_si512(data + i + 64 * lane));
  }
  for (__m512i& each : sum) asm volatile("" : : "v"(each));
}

#elif TD_LEVEL == 1

constexpr int kChains = 12;  // there are 16 registers
constexpr int kByteChains = 8;

void f32() {
  __m256 sum[kChains] = {}, a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (__m256& each : sum) asm volatile("" : "+x"(each));
  for (int64_t step = 0; step < kSteps; ++step) {
    asm volatile("" : "+x"(a));
    for (__m256& each : sum) each = _mm256_fmadd_ps(a, b, each);
  }
  for (__m256& each : sum) asm volatile("" : "+x"(each));
}

// As the kernels multiply bytes: three instructions. Each product needs a factor of its own, or one would do for all.
void int8() {
  __m256i sum[kByteChains] = {}, a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
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

constexpr LimitLoop kF32 = {f32, 2.0 * kChains * kSteps * 8};
constexpr LimitLoop kInt8 = {int8, 2.0 * kByteChains * kSteps * 32};
constexpr LimitLoop kBf16 = {nullptr, 0};

void read(const uint8_t* data, int64_t bytes) {
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

// Four lanes are what the oldest processor of every architecture has. It may have no fused multiply-add, so this
// multiplies, then adds.
using F32x4 = float __attribute__((vector_size(16)));
using U64x2 = uint64_t __attribute__((vector_size(16)));
constexpr int kChains = 12;

#if defined(__x86_64__)
#define TD_REGISTER "x"
#elif defined(__aarch64__)
#define TD_REGISTER "w"
#else
#define TD_REGISTER "m"
#endif

void f32() {
  F32x4 sum[kChains] = {}, a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
  for (F32x4& each : sum) asm volatile("" : "+" TD_REGISTER(each));
  asm volatile("" : "+" TD_REGISTER(a), "+" TD_REGISTER(b));
  for (int64_t step = 0; step < kSteps; ++step) {
    for (F32x4& each : sum) each = each * a + b;
  }
  for (F32x4& each : sum) asm volatile("" : "+" TD_REGISTER(each));
}

constexpr LimitLoop kF32 = {f32, 2.0 * kChains * kSteps * 4};
constexpr LimitLoop kInt8 = {nullptr, 0};
constexpr LimitLoop kBf16 = {nullptr, 0};

void read(const uint8_t* data, int64_t bytes) {
  U64x2 sum[4] = {};
  for (int64_t i = 0; i < bytes; i += 64) {
    for (int lane = 0; lane < 4; ++lane) sum[lane] ^= *reinterpret_cast<const U64x2*>(data + i + 16 * lane);
  }
  for (U64x2& each : sum) asm volatile("" : : TD_REGISTER(each));
}

#endif

}  // namespace

extern const LimitLoops limitLoops;
constinit const LimitLoops limitLoops = {read, kF32, kInt8, kBf16};

}  // namespace td::TD_ISA
