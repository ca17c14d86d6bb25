// Sixteen lanes as arrays: the portable form, which compilers vectorise with what the baseline has.
#pragma once

#include <bit>
#include <cmath>

#include "core/half.h"

namespace td::TD_ISA {

struct F32x16 {
  float v[16];
};
struct I32x16 {
  int32_t v[16];
};
struct Bytes64 {
  uint8_t v[64];
};
struct SignedBytes64 {
  uint8_t v[64];  // int8, as bits
};
// The same four int8 for all lanes.
struct Quad {
  int8_t v[4];
};

template <class F>
inline F32x16 eachF(F f) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = f(i);
  return r;
}
template <class F>
inline I32x16 eachI(F f) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = f(i);
  return r;
}
template <class F>
inline Bytes64 eachB(F f) {
  Bytes64 r;
  for (int i = 0; i < 64; ++i) r.v[i] = static_cast<uint8_t>(f(i));
  return r;
}

inline F32x16 broadcast(float x) {
  return eachF([&](int) { return x; });
}
inline F32x16 zeroF() {
  return broadcast(0.0f);
}
inline F32x16 load(const float* p) {
  return eachF([&](int i) { return p[i]; });
}
inline F32x16 loadFirst(const float* p, int n) {
  return eachF([&](int i) { return i < n ? p[i] : 0.0f; });
}
inline void store(float* p, F32x16 a) {
  memcpy(p, a.v, sizeof a.v);
}
inline void storeFirst(float* p, F32x16 a, int n) {
  memcpy(p, a.v, sizeof(float) * static_cast<size_t>(n));
}
inline F32x16 loadHalf(const uint16_t* p) {
  return eachF([&](int i) { return halfToFloat(p[i]); });
}
inline F32x16 loadHalfFirst(const uint16_t* p, int n) {
  return eachF([&](int i) { return i < n ? halfToFloat(p[i]) : 0.0f; });
}
inline void storeHalfFirst(uint16_t* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = floatToHalf(a.v[i]);
}
inline F32x16 add(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] + b.v[i]; });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] - b.v[i]; });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] * b.v[i]; });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] / b.v[i]; });
}
inline F32x16 mulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return eachF([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
inline F32x16 negMulAdd(F32x16 a, F32x16 b, F32x16 c) {
  return eachF([&](int i) { return std::fma(-a.v[i], b.v[i], c.v[i]); });
}
// The second operand where either is NaN, as x86 has it.
inline F32x16 maximum(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32x16 minimum(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32x16 absolute(F32x16 a) {
  return eachF([&](int i) { return std::fabs(a.v[i]); });
}
// Lanes below n from a, the others from b.
inline F32x16 firstLanes(F32x16 a, F32x16 b, int n) {
  return eachF([&](int i) { return i < n ? a.v[i] : b.v[i]; });
}

// Lanes 1 0 3 2 ..., 0 0 2 2 ... and 1 1 3 3 ...
inline F32x16 swapNeighbours(F32x16 a) {
  return eachF([&](int i) { return a.v[i ^ 1]; });
}
inline F32x16 evenTwice(F32x16 a) {
  return eachF([&](int i) { return a.v[i & ~1]; });
}
inline F32x16 oddTwice(F32x16 a) {
  return eachF([&](int i) { return a.v[i | 1]; });
}
// a - b in even lanes, a + b in odd ones.
inline F32x16 subAdd(F32x16 a, F32x16 b) {
  return eachF([&](int i) { return i % 2 == 0 ? a.v[i] - b.v[i] : a.v[i] + b.v[i]; });
}

// Across the lanes by halves: ((l0+l8) + (l4+l12)) + ...
inline float sumLanes(F32x16 a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
  }
  return a.v[0];
}
inline float maxLane(F32x16 a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
  }
  return a.v[0];
}

inline I32x16 broadcastInt(int32_t x) {
  return eachI([&](int) { return x; });
}
inline I32x16 load(const int32_t* p) {
  return eachI([&](int i) { return p[i]; });
}
inline I32x16 add(I32x16 a, I32x16 b) {
  return eachI([&](int i) { return a.v[i] + b.v[i]; });
}
inline I32x16 sub(I32x16 a, I32x16 b) {
  return eachI([&](int i) { return a.v[i] - b.v[i]; });
}
inline I32x16 bitAnd(I32x16 a, int32_t mask) {
  return eachI([&](int i) { return a.v[i] & mask; });
}
inline I32x16 bitOr(I32x16 a, I32x16 b) {
  return eachI([&](int i) { return a.v[i] | b.v[i]; });
}
template <int N>
inline I32x16 shiftLeft(I32x16 a) {
  return eachI([&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << N); });
}
template <int N>
inline I32x16 shiftRight(I32x16 a) {
  return eachI([&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) >> N); });
}
template <int N>
inline I32x16 shiftRightSigned(I32x16 a) {
  return eachI([&](int i) { return a.v[i] >> N; });
}
inline int32_t sumLanes(I32x16 a) {
  int32_t sum = 0;
  for (const int32_t lane : a.v) sum += lane;
  return sum;
}
inline F32x16 toFloat(I32x16 a) {
  return eachF([&](int i) { return static_cast<float>(a.v[i]); });
}
// To nearest even; what a NaN or a value beyond 2^22 gives differs by instruction set.
inline I32x16 roundToInt(F32x16 a) {
  return eachI([&](int i) { return static_cast<int32_t>(std::bit_cast<uint32_t>(a.v[i] + 0x1.8p23f) - 0x4b400000u); });
}
// 2^n for -126 <= n <= 127.
inline F32x16 powerOfTwo(I32x16 n) {
  return eachF([&](int i) { return std::bit_cast<float>((n.v[i] + 127) << 23); });
}
// x 2^n, rounded once, for x of about 1 and |n| <= 160: in two steps, neither of whose powers overflows or is
// subnormal, and of which only the second can round.
inline F32x16 timesPowerOfTwo(F32x16 x, I32x16 n) {
  const I32x16 half = shiftRightSigned<1>(n);
  return mul(mul(x, powerOfTwo(half)), powerOfTwo(sub(n, half)));
}
inline I32x16 loadBytes(const uint8_t* p) {
  return eachI([&](int i) { return static_cast<int32_t>(p[i]); });
}
inline I32x16 loadSignedBytes(const uint8_t* p) {
  return eachI([&](int i) { return static_cast<int32_t>(static_cast<int8_t>(p[i])); });
}
// 16 pairs of bf16, as the even and the odd elements.
inline F32x16 loadBf16Even(const uint8_t* p) {
  return eachF([&](int i) {
    uint16_t x;
    memcpy(&x, p + 4 * i, 2);
    return bf16ToFloat(x);
  });
}
inline F32x16 loadBf16Odd(const uint8_t* p) {
  return loadBf16Even(p + 2);
}
// Stores lanes below n as int8; all lie in -128..127.
// Of numbers that int8 holds.
inline void storeInt8(int8_t* p, I32x16 a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(a.v[i]);
}

inline Bytes64 load64(const uint8_t* p) {
  Bytes64 r;
  memcpy(r.v, p, 64);
  return r;
}
inline void store64(uint8_t* p, Bytes64 a) {
  memcpy(p, a.v, 64);
}
// Bytes 16 N .. 16 N + 15, one per lane.
template <int N>
inline I32x16 bytesOfQuarter(Bytes64 a) {
  return eachI([&](int r) { return int32_t{a.v[16 * N + r]}; });
}
inline Bytes64 lowSixBits(Bytes64 a) {
  return eachB([&](int i) { return a.v[i] & 63; });
}
inline Bytes64 lowNibbles(Bytes64 a) {
  return eachB([&](int i) { return a.v[i] & 15; });
}
inline Bytes64 highNibbles(Bytes64 a) {
  return eachB([&](int i) { return a.v[i] >> 4; });
}
// Bits [2n, 2n + 2) of each byte, moved to bits 4 and 5.
template <int N>
inline Bytes64 twoBitsTimes16(Bytes64 a) {
  return eachB([&](int i) { return ((a.v[i] >> (2 * N)) & 3) << 4; });
}
inline Bytes64 bitOr(Bytes64 a, Bytes64 b) {
  return eachB([&](int i) { return a.v[i] | b.v[i]; });
}
inline Bytes64 minus(Bytes64 a, uint8_t b) {
  return eachB([&](int i) { return a.v[i] - b; });
}
inline SignedBytes64 asSigned(Bytes64 a) {
  SignedBytes64 r;
  memcpy(r.v, a.v, 64);
  return r;
}

inline Quad quad(const int8_t* x) {
  return {{x[0], x[1], x[2], x[3]}};
}
// Lane r gains the sum over j < 4 of w[4r + j] * x[j].
inline I32x16 dotQuad(I32x16 sum, Bytes64 w, Quad x) {
  return eachI([&](int r) {
    int32_t s = sum.v[r];
    for (int j = 0; j < 4; ++j) s += w.v[4 * r + j] * x.v[j];
    return s;
  });
}
// The same for int8 weights. A sum starts from signedStart(minus the sum of all x that it will meet).
inline I32x16 signedStart(I32x16) {
  return broadcastInt(0);
}
inline I32x16 dotQuad(I32x16 sum, SignedBytes64 w, Quad x) {
  return eachI([&](int r) {
    int32_t s = sum.v[r];
    for (int j = 0; j < 4; ++j) s += static_cast<int8_t>(w.v[4 * r + j]) * x.v[j];
    return s;
  });
}

}  // namespace td::TD_ISA
