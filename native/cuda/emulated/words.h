// The words that CUDA adds to C++, as far as kernels here use them: built-in variables, vector types, arithmetic.
// Those that need other threads are in thread_words.h, the 16-bit floats in half_words.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

namespace td::emulated::words {

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr uint64_t volume() const { return uint64_t{x} * y * z; }
};

// Fibers never leave a host thread while a block runs, so these may be ordinary thread-local variables. This model of
// access is one instruction, also in a shared library.
#define TD_OF_THIS_THREAD extern constinit thread_local __attribute__((tls_model("initial-exec")))
TD_OF_THIS_THREAD uint3 threadIdx;
TD_OF_THIS_THREAD uint3 blockIdx;
TD_OF_THIS_THREAD dim3 blockDim;
TD_OF_THIS_THREAD dim3 gridDim;
constexpr int warpSize = 32;

// ---- Vector types ---------------------------------------------------------------------------------------------------

struct alignas(4) char4 {
  signed char x, y, z, w;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
struct alignas(4) short2 {
  short x, y;
};
struct alignas(4) ushort2 {
  unsigned short x, y;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline int2 make_int2(int x, int y) {
  return {x, y};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline int4 make_int4(int x, int y, int z, int w) {
  return {x, y, z, w};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

// ---- Integers -------------------------------------------------------------------------------------------------------

using std::max;
using std::min;

inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
// The lowest set bit, counted from 1; 0 if there is none.
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
// Four bytes of the eight in (y, x), each picked by a digit of `selector`; digits from 8 on copy the byte's sign.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const uint64_t bytes = uint64_t{y} << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned digit = selector >> 4 * i & 15;
    unsigned byte = static_cast<unsigned>(bytes >> 8 * (digit & 7)) & 255;
    if (digit >= 8) byte = byte >= 128 ? 255 : 0;
    result |= byte << 8 * i;
  }
  return result;
}

// sum + the four products of bytes; wraps around.
#if defined(__SSE2__)
inline int addPairOfProducts(__m128i a, __m128i b, int sum) {
  const auto pair = std::bit_cast<uint64_t>(_mm_cvtsi128_si64(_mm_madd_epi16(a, b)));
  return static_cast<int>(static_cast<unsigned>(sum) + static_cast<unsigned>(pair) + static_cast<unsigned>(pair >> 32));
}
inline int __dp4a(int a, int b, int sum) {
  const auto wide = [](int bytes) {
    const __m128i x = _mm_cvtsi32_si128(bytes);
    return _mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8);
  };
  return addPairOfProducts(wide(a), wide(b), sum);
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned sum) {
  const auto wide = [](unsigned bytes) {
    return _mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int>(bytes)), _mm_setzero_si128());
  };
  return static_cast<unsigned>(addPairOfProducts(wide(a), wide(b), static_cast<int>(sum)));
}
#else
template <class Byte>
unsigned addProductsOfBytes(unsigned a, unsigned b, unsigned sum) {
  for (int shift = 0; shift < 32; shift += 8) {
    sum += static_cast<unsigned>(static_cast<Byte>(a >> shift) * static_cast<Byte>(b >> shift));
  }
  return sum;
}
inline int __dp4a(int a, int b, int sum) {
  return static_cast<int>(
      addProductsOfBytes<int8_t>(static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(sum)));
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned sum) {
  return addProductsOfBytes<uint8_t>(a, b, sum);
}
#endif

// ---- Floats ---------------------------------------------------------------------------------------------------------

// Where a GPU has a fast approximation, this is the function that it approximates.

using ::exp2f;
using ::expf;
using ::fabsf;
using ::fmaf;
using ::fmaxf;
using ::fminf;
using ::logf;
using ::rintf;
using ::sqrtf;
using ::tanhf;
using std::isfinite;
using std::isinf;
using std::isnan;

inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __frcp_rn(float x) {
  return 1.0f / x;
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fsub_rn(float x, float y) {
  return x - y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __fsqrt_rn(float x) {
  return sqrtf(x);
}
inline float __fmaf_rn(float x, float y, float z) {
  return fmaf(x, y, z);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
// To the nearest, of two equally near the even one; NaN is 0, and what does not fit the nearest that does.
inline int __float2int_rn(float x) {
  if (isnan(x)) return 0;
  return x >= 0x1p31f ? INT32_MAX : x < -0x1p31f ? INT32_MIN : static_cast<int>(rintf(x));
}

}  // namespace td::emulated::words
