// Sixteen lanes of float, int32 or 4 x int8, on every instruction set: one zmm, two ymm, or an array. Kernels are
// written once against these and compiled once per instruction set (TD_ISA names it and is their namespace). All
// operations are lane by lane and correctly rounded, and sums across lanes have one fixed order, so a kernel written
// here gives the same bits on every instruction set. The one exception is BF16, where AVX-512 has an instruction of its
// own rounding (matmul_float.cpp).
#pragma once

#ifndef TD_ISA
#error "compile kernels with -DTD_ISA=scalar, avx2, avx512 or amx"
#endif

#define TD_LEVEL_scalar 0
#define TD_LEVEL_avx2 1
#define TD_LEVEL_avx512 2
#define TD_LEVEL_amx 2  // its lanes are those of AVX-512
#define TD_JOIN2(a, b) a##b
#define TD_JOIN(a, b) TD_JOIN2(a, b)
#define TD_LEVEL TD_JOIN(TD_LEVEL_, TD_ISA)

#include <cstdint>
#include <cstring>

#if TD_LEVEL == 2
#include "cpu/simd_avx512.h"
#elif TD_LEVEL == 1
#include "cpu/simd_avx2.h"
#else
#include "cpu/simd_scalar.h"
#endif

namespace td::TD_ISA {

// e^x with a relative error below 1e-7 where the result is normal (8.5e-8 at worst, over all floats:
// exponential_test.cpp), and one more rounding where it is subnormal; 0 below -104, infinity above 88.73, NaN for NaN.
// x = n ln2 + r with |r| <= ln2 / 2; e^r = 1 + r + r^2 P(r), P fitted for the smallest largest relative error of e^r
// (3e-9).
inline F32x16 exponential(F32x16 x) {
  x = minimum(broadcast(100.0f), maximum(broadcast(-110.0f), x));  // this order of operands lets NaN through
  const I32x16 n = roundToInt(mul(x, broadcast(0x1.715476p+0f)));  // 1 / ln 2
  const F32x16 whole = toFloat(n);
  F32x16 r = negMulAdd(whole, broadcast(0x1.62e4p-1f), x);  // ln 2 in two parts, the first with trailing zeros: exact
  r = negMulAdd(whole, broadcast(0x1.7f7d1cp-20f), r);
  F32x16 p = mulAdd(broadcast(0x1.6a23cep-10f), r, broadcast(0x1.123a2p-7f));
  p = mulAdd(p, r, broadcast(0x1.5558f2p-5f));
  p = mulAdd(p, r, broadcast(0x1.555492p-3f));
  p = mulAdd(p, r, broadcast(0x1.fffffcp-2f));
  p = add(mulAdd(mul(r, r), p, r), broadcast(1.0f));  // 1 last: the rounding before is then of a small number
  return timesPowerOfTwo(p, n);
}

}  // namespace td::TD_ISA
