// Sixteen lanes as two ymm registers: AVX2, FMA and F16C.
#pragma once

#include <immintrin.h>

namespace td::TD_ISA {

struct F32x16 {
  __m256 lo, hi;
};
struct I32x16 {
  __m256i lo, hi;
};
struct Bytes64 {
  __m256i lo, hi;
};
// |w| and w: maddubs takes an unsigned and a signed operand, so the sign of w moves to x.
struct SignedBytes64 {
  Bytes64 magnitude, value;
};
// The same four int8 for all lanes.
struct Quad {
  __m256i v;
};

inline __m256i laneMask(int n) {  // ones in lanes below n
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline F32x16 broadcast(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline F32x16 zeroF() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
inline F32x16 load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline F32x16 loadFirst(const float* p, int n) {
  return {_mm256_maskload_ps(p, laneMask(n)), _mm256_maskload_ps(p + 8, laneMask(n - 8))};
}
inline void store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline void storeFirst(float* p, F32x16 a, int n) {
  _mm256_maskstore_ps(p, laneMask(n), a.lo);
  _mm256_maskstore_ps(p + 8, laneMask(n - 8), a.hi);
}
inline F32x16 loadHalf(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline F32x16 loadHalfFirst(const uint16_t* p, int n) {
  uint16_t padded[16] = {};
  memcpy(padded, p, sizeof(uint16_t) * static_cast<size_t>(n));
  return loadHalf(padded);
}
inline void storeHalfFirst(uint16_t* p, F32x16 a, int n) {
  uint16_t all[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(all), _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(all + 8), _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
  memcpy(p, all, sizeof(uint16_t) * static_cast<size_t>(n));
}
inline F32x16 add(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline F32x16 mulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline F32x16 negMulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
inline F32x16 maximum(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline F32x16 minimum(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
inline F32x16 absolute(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
inline F32x16 firstLanes(F32x16 a, F32x16 b, int n) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(laneMask(n))),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(laneMask(n - 8)))};
}

inline F32x16 swapNeighbours(F32x16 a) {
  return {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)};
}
inline F32x16 evenTwice(F32x16 a) {
  return {_mm256_moveldup_ps(a.lo), _mm256_moveldup_ps(a.hi)};
}
inline F32x16 oddTwice(F32x16 a) {
  return {_mm256_movehdup_ps(a.lo), _mm256_movehdup_ps(a.hi)};
}
inline F32x16 subAdd(F32x16 a, F32x16 b) {
  return {_mm256_addsub_ps(a.lo, b.lo), _mm256_addsub_ps(a.hi, b.hi)};
}

// Across the lanes by halves: ((l0+l8) + (l4+l12)) + ...
inline float sumLanes(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float maxLane(F32x16 a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline I32x16 broadcastInt(int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
inline I32x16 load(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
inline I32x16 add(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
inline I32x16 sub(I32x16 a, I32x16 b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
inline I32x16 bitAnd(I32x16 a, int32_t mask) {
  const __m256i m = _mm256_set1_epi32(mask);
  return {_mm256_and_si256(a.lo, m), _mm256_and_si256(a.hi, m)};
}
inline I32x16 bitOr(I32x16 a, I32x16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
template <int N>
inline I32x16 shiftLeft(I32x16 a) {
  return {_mm256_slli_epi32(a.lo, N), _mm256_slli_epi32(a.hi, N)};
}
template <int N>
inline I32x16 shiftRight(I32x16 a) {
  return {_mm256_srli_epi32(a.lo, N), _mm256_srli_epi32(a.hi, N)};
}
template <int N>
inline I32x16 shiftRightSigned(I32x16 a) {
  return {_mm256_srai_epi32(a.lo, N), _mm256_srai_epi32(a.hi, N)};
}
inline int32_t sumLanes(I32x16 a) {
  const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}
inline F32x16 toFloat(I32x16 a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}
inline I32x16 roundToInt(F32x16 a) {
  return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)};
}
inline F32x16 powerOfTwo(I32x16 n) {
  const __m256i bias = _mm256_set1_epi32(127);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.lo, bias), 23)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.hi, bias), 23))};
}
inline F32x16 timesPowerOfTwo(F32x16 x, I32x16 n) {
  const I32x16 half = shiftRightSigned<1>(n);
  return mul(mul(x, powerOfTwo(half)), powerOfTwo(sub(n, half)));
}
inline I32x16 loadBytes(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline I32x16 loadSignedBytes(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
inline __m256i loadRegister(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline F32x16 loadBf16Even(const uint8_t* p) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(loadRegister(p), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(loadRegister(p + 32), 16))};
}
inline F32x16 loadBf16Odd(const uint8_t* p) {
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  return {_mm256_castsi256_ps(_mm256_and_si256(loadRegister(p), high)),
          _mm256_castsi256_ps(_mm256_and_si256(loadRegister(p + 32), high))};
}
// Of numbers that int8 holds.
inline void storeInt8(int8_t* p, I32x16 a) {
  const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

inline Bytes64 load64(const uint8_t* p) {
  return {loadRegister(p), loadRegister(p + 32)};
}
inline void store64(uint8_t* p, Bytes64 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), a.hi);
}
// Bytes 16 N .. 16 N + 15, one per lane.
template <int N>
inline I32x16 bytesOfQuarter(Bytes64 a) {
  const __m128i bytes = _mm256_extracti128_si256(N < 2 ? a.lo : a.hi, N % 2);
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline Bytes64 lowSixBits(Bytes64 a) {
  const __m256i mask = _mm256_set1_epi8(63);
  return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
}
inline Bytes64 lowNibbles(Bytes64 a) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
}
inline Bytes64 highNibbles(Bytes64 a) {
  return lowNibbles({_mm256_srli_epi16(a.lo, 4), _mm256_srli_epi16(a.hi, 4)});
}
template <int N>
inline Bytes64 twoBitsTimes16(Bytes64 a) {
  const __m256i mask = _mm256_set1_epi8(48);
  if constexpr (N < 2) {
    return {_mm256_and_si256(_mm256_slli_epi16(a.lo, 4 - 2 * N), mask),
            _mm256_and_si256(_mm256_slli_epi16(a.hi, 4 - 2 * N), mask)};
  } else {
    return {_mm256_and_si256(_mm256_srli_epi16(a.lo, 2 * N - 4), mask),
            _mm256_and_si256(_mm256_srli_epi16(a.hi, 2 * N - 4), mask)};
  }
}
inline Bytes64 bitOr(Bytes64 a, Bytes64 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
inline Bytes64 minus(Bytes64 a, uint8_t b) {
  const __m256i each = _mm256_set1_epi8(static_cast<char>(b));
  return {_mm256_sub_epi8(a.lo, each), _mm256_sub_epi8(a.hi, each)};
}
inline SignedBytes64 asSigned(Bytes64 a) {
  return {{_mm256_abs_epi8(a.lo), _mm256_abs_epi8(a.hi)}, a};
}

inline Quad quad(const int8_t* x) {
  int32_t word;
  memcpy(&word, x, sizeof word);
  return {_mm256_set1_epi32(word)};
}
// Sums of pairs fit 16 bits: |x| <= 127 and the unsigned operand is at most 63 (4- and 6-bit weights) or 128 (|int8|).
inline __m256i dotRegister(__m256i sum, __m256i unsignedBytes, __m256i signedBytes) {
  return _mm256_add_epi32(sum,
                          _mm256_madd_epi16(_mm256_maddubs_epi16(unsignedBytes, signedBytes), _mm256_set1_epi16(1)));
}
inline I32x16 dotQuad(I32x16 sum, Bytes64 w, Quad x) {
  return {dotRegister(sum.lo, w.lo, x.v), dotRegister(sum.hi, w.hi, x.v)};
}
inline I32x16 signedStart(I32x16) {
  return broadcastInt(0);
}
inline I32x16 dotQuad(I32x16 sum, SignedBytes64 w, Quad x) {
  return {dotRegister(sum.lo, w.magnitude.lo, _mm256_sign_epi8(x.v, w.value.lo)),
          dotRegister(sum.hi, w.magnitude.hi, _mm256_sign_epi8(x.v, w.value.hi))};
}

}  // namespace td::TD_ISA
