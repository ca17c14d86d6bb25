// CUDA's 16-bit floats: storage, and conversions with its rounding, bit by bit. There is no arithmetic on them; kernels
// compute in float.
#pragma once

#include "core/half.h"
#include "cuda/emulated/words.h"

namespace td::emulated::words {

struct __half {
  uint16_t bits;
};
struct __nv_bfloat16 {
  uint16_t bits;
};
struct alignas(4) __half2 {
  __half x, y;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};
using half = __half;
using half2 = __half2;

constexpr uint16_t kNotANumber16 = 0x7fff;  // what CUDA makes of every NaN, in both types

inline float __half2float(__half x) {
  return halfToFloat(x.bits);
}
inline __half __float2half_rn(float x) {
  return {isnan(x) ? kNotANumber16 : floatToHalf(x)};
}
inline __half __float2half(float x) {
  return __float2half_rn(x);
}
inline __half __ushort_as_half(unsigned short bits) {
  return {bits};
}
inline unsigned short __half_as_ushort(__half x) {
  return x.bits;
}
inline __half2 __halves2half2(__half low, __half high) {
  return {low, high};
}
inline __half __low2half(__half2 x) {
  return x.x;
}
inline __half __high2half(__half2 x) {
  return x.y;
}
inline float __low2float(__half2 x) {
  return __half2float(x.x);
}
inline float __high2float(__half2 x) {
  return __half2float(x.y);
}
inline float2 __half22float2(__half2 x) {
  return {__half2float(x.x), __half2float(x.y)};
}
inline __half2 __floats2half2_rn(float low, float high) {
  return {__float2half_rn(low), __float2half_rn(high)};
}
inline __half2 __float22half2_rn(float2 x) {
  return __floats2half2_rn(x.x, x.y);
}

inline float __bfloat162float(__nv_bfloat16 x) {
  return bf16ToFloat(x.bits);
}
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  return {isnan(x) ? kNotANumber16 : floatToBf16(x)};
}
inline __nv_bfloat16 __float2bfloat16(float x) {
  return __float2bfloat16_rn(x);
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  return {bits};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) {
  return x.bits;
}
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 low, __nv_bfloat16 high) {
  return {low, high};
}
inline float2 __bfloat1622float2(__nv_bfloat162 x) {
  return {__bfloat162float(x.x), __bfloat162float(x.y)};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float low, float high) {
  return {__float2bfloat16_rn(low), __float2bfloat16_rn(high)};
}

}  // namespace td::emulated::words
