// The exponential with which tokens are drawn, in double precision. dev.tandem.engine.sample.Exponential is the same
// function, operation by operation, so that a draw in Java and one on a device agree in every bit: no library's
// exponential (they differ), no fused multiply-add. In parts, because compilers make vectors of
// loops over each, but not over the whole with its conditions. Always inlined, as half.h.
#pragma once

#include <bit>
#include <cstdint>

namespace td {

constexpr double kLeastExponent = -708, kMostExponent = 709;

[[gnu::always_inline]] inline double cutExponent(double x) {
  x = x < kLeastExponent ? kLeastExponent : x;
  return x > kMostExponent ? kMostExponent : x;
}

// e^x within 1.5 units in the last place, for x that has been cut; NaN for NaN.
// x = n ln2 + r with |r| <= ln2 / 2; e^r by its Taylor series up to r^13.
[[gnu::always_inline]] inline double exponentialOfCut(double x) {
  constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest whole number in the low bits
  const double shifted = x * 0x1.71547652b82fep+0 + kRound;  // 1 / ln 2
  const double n = shifted - kRound;
  // ln 2 in two parts, the first with trailing zeros: its product is exact.
  const double r = (x - n * 0x1.62e42fefap-1) - n * 0x1.cf79abc9e3b3ap-40;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);  // 2^n
}

// e^x; 0 below kLeastExponent, e^kMostExponent above that.
[[gnu::always_inline]] inline double exponential(double x) {
  return x < kLeastExponent ? 0.0 : exponentialOfCut(cutExponent(x));
}

}  // namespace td
