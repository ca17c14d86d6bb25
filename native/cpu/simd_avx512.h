// Sixteen lanes as one zmm register: AVX-512 with VNNI and BF16.
#pragma once

#include <immintrin.h>

namespace td::TD_ISA {

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};
struct Bytes64 {
  __m512i v;
};
// w + 128: the dot product instruction takes an unsigned and a signed operand; the sum starts 128 * sum(x) lower
// instead.
struct SignedBytes64 {
  __m512i raised;
};
// The same four int8 for all lanes.
struct Quad {
  __m512i v;
};

inline __mmask16 laneMask(int n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

inline F32x16 broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
inline F32x16 zeroF() {
  return {_mm512_setzero_ps()};
}
inline F32x16 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline F32x16 loadFirst(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(laneMask(n), p)};
}
inline void store(float* p, F32x16 a) {
  _mm512_storeu_ps(p, a.v);
}
inline void storeFirst(float* p, F32x16 a, int n) {
  _mm512_mask_storeu_ps(p, laneMask(n), a.v);
}
inline F32x16 loadHalf(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline F32x16 loadHalfFirst(const uint16_t* p, int n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(laneMask(n), p))};
}
inline void storeHalfFirst(uint16_t* p, F32x16 a, int n) {
  _mm256_mask_storeu_epi16(p, laneMask(n), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline F32x16 add(F32x16 a, F32x16 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline F32x16 mulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 negMulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 maximum(F32x16 a, F32x16 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline F32x16 minimum(F32x16 a, F32x16 b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline F32x16 absolute(F32x16 a) {
  return {_mm512_abs_ps(a.v)};
}
inline F32x16 firstLanes(F32x16 a, F32x16 b, int n) {
  return {_mm512_mask_blend_ps(laneMask(n), b.v, a.v)};
}

inline F32x16 swapNeighbours(F32x16 a) {
  return {_mm512_permute_ps(a.v, 0xb1)};
}
inline F32x16 evenTwice(F32x16 a) {
  return {_mm512_moveldup_ps(a.v)};
}
inline F32x16 oddTwice(F32x16 a) {
  return {_mm512_movehdup_ps(a.v)};
}
inline F32x16 subAdd(F32x16 a, F32x16 b) {
  return {_mm512_mask_add_ps(_mm512_sub_ps(a.v, b.v), 0xaaaa, a.v, b.v)};
}

// Across the lanes by halves: ((l0+l8) + (l4+l12)) + ...
inline float sumLanes(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float maxLane(F32x16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline I32x16 broadcastInt(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
inline I32x16 load(const int32_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline I32x16 add(I32x16 a, I32x16 b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline I32x16 sub(I32x16 a, I32x16 b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline I32x16 bitAnd(I32x16 a, int32_t mask) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(mask))};
}
inline I32x16 bitOr(I32x16 a, I32x16 b) {
  return {_mm512_or_si512(a.v, b.v)};
}
template <int N>
inline I32x16 shiftLeft(I32x16 a) {
  return {_mm512_slli_epi32(a.v, N)};
}
template <int N>
inline I32x16 shiftRight(I32x16 a) {
  return {_mm512_srli_epi32(a.v, N)};
}
template <int N>
inline I32x16 shiftRightSigned(I32x16 a) {
  return {_mm512_srai_epi32(a.v, N)};
}
inline int32_t sumLanes(I32x16 a) {
  return _mm512_reduce_add_epi32(a.v);
}
inline F32x16 toFloat(I32x16 a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline I32x16 roundToInt(F32x16 a) {
  return {_mm512_cvtps_epi32(a.v)};
}
inline F32x16 timesPowerOfTwo(F32x16 x, I32x16 n) {
  return {_mm512_scalef_ps(x.v, _mm512_cvtepi32_ps(n.v))};
}
inline I32x16 loadBytes(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline I32x16 loadSignedBytes(const uint8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline F32x16 loadBf16Even(const uint8_t* p) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))};
}
inline F32x16 loadBf16Odd(const uint8_t* p) {
  return {
      _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}
// Of numbers that int8 holds.
inline void storeInt8(int8_t* p, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

inline Bytes64 load64(const uint8_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline void store64(uint8_t* p, Bytes64 a) {
  _mm512_storeu_si512(p, a.v);
}
// Bytes 16 N .. 16 N + 15, one per lane.
template <int N>
inline I32x16 bytesOfQuarter(Bytes64 a) {
  return {_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(a.v, N))};
}
inline Bytes64 lowSixBits(Bytes64 a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi8(63))};
}
inline Bytes64 lowNibbles(Bytes64 a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi8(15))};
}
inline Bytes64 highNibbles(Bytes64 a) {
  return lowNibbles({_mm512_srli_epi16(a.v, 4)});
}
template <int N>
inline Bytes64 twoBitsTimes16(Bytes64 a) {
  const __m512i mask = _mm512_set1_epi8(48);
  if constexpr (N < 2) {
    return {_mm512_and_si512(_mm512_slli_epi16(a.v, 4 - 2 * N), mask)};
  } else {
    return {_mm512_and_si512(_mm512_srli_epi16(a.v, 2 * N - 4), mask)};
  }
}
inline Bytes64 bitOr(Bytes64 a, Bytes64 b) {
  return {_mm512_or_si512(a.v, b.v)};
}
inline Bytes64 minus(Bytes64 a, uint8_t b) {
  return {_mm512_sub_epi8(a.v, _mm512_set1_epi8(static_cast<char>(b)))};
}
inline SignedBytes64 asSigned(Bytes64 a) {
  return {_mm512_xor_si512(a.v, _mm512_set1_epi8(-128))};
}

inline Quad quad(const int8_t* x) {
  int32_t word;
  memcpy(&word, x, sizeof word);
  return {_mm512_set1_epi32(word)};
}
inline I32x16 dotQuad(I32x16 sum, Bytes64 w, Quad x) {
  return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)};
}
inline I32x16 signedStart(I32x16 minusSumOfX) {
  return shiftLeft<7>(minusSumOfX);
}
inline I32x16 dotQuad(I32x16 sum, SignedBytes64 w, Quad x) {
  return {_mm512_dpbusd_epi32(sum.v, w.raised, x.v)};
}

}  // namespace td::TD_ISA
