// What all suites share: seeds that are printed on failure, generators, the machine's instruction sets, outputs that
// are poisoned and guarded, and comparison by bits and by tolerance.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/half.h"
#include "core/status.h"
#include "cpu/kernels.h"

namespace td::testing {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif
constexpr bool kSanitizer = kAddressSanitizer || kThreadSanitizer;

// TANDEM_TEST_SEED, or a fixed one: a test run is the same everywhere until somebody wants others.
inline uint64_t seed() {
  static const uint64_t value = [] {
    const char* text = std::getenv("TANDEM_TEST_SEED");
    return text == nullptr ? uint64_t{20240229} : std::strtoull(text, nullptr, 0);
  }();
  return value;
}

// Whether the environment variable has a value that begins so.
inline bool environmentBegins(const char* variable, std::string_view value) {
  const char* text = std::getenv(variable);
  return text != nullptr && std::string_view(text).starts_with(value);
}

// How many rounds of random cases: a quarter under a sanitizer. With TANDEM_LONG=true twenty times as many, but five
// times under a sanitizer and on emulated devices, where a round takes that much longer.
inline int rounds(int usual) {
  static const int longer = [] {
    if (!environmentBegins("TANDEM_LONG", "true")) return 1;
    return kSanitizer || environmentBegins("TANDEM_TEST_DEVICE", "emulated") ? 5 : 20;
  }();
  return longer * (kSanitizer ? std::max(1, usual / 4) : usual);
}

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), one stream per name and
// round.
class Random {
 public:
  explicit Random(std::string_view name, uint64_t round = 0) : state_(seed() + 0x9e3779b97f4a7c15u * round) {
    for (const char c : name) state_ = mix(state_ ^ static_cast<unsigned char>(c));
  }

  uint64_t bits() { return mix(state_ += 0x9e3779b97f4a7c15u); }
  // Both ends included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  int integer(int low, int high) { return static_cast<int>(between(low, high)); }
  bool chance(double probability) { return uniform() < probability; }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }
  template <class Container>
  auto pick(const Container& from) {
    return *(std::begin(from) + between(0, static_cast<int64_t>(std::size(from)) - 1));
  }

  std::vector<float> normals(int64_t count, double deviation = 1) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(deviation * normal());
    return values;
  }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }

  uint64_t state_;
};

// For SCOPED_TRACE: how to run the failing case again.
inline ::testing::Message caseOf(uint64_t round) {
  ::testing::Message message;
  message << "TANDEM_TEST_SEED=" << seed() << ", round " << round << ": ";
  return message;
}

// The instruction sets that this build and this machine have.
inline const std::vector<td_isa>& isas() {
  static const std::vector<td_isa> all = [] {
    std::vector<td_isa> found;
    for (const td_isa isa : {TD_ISA_SCALAR, TD_ISA_AVX2, TD_ISA_AVX512, TD_ISA_AMX}) {
      try {
        kernelsFor(isa);
        found.push_back(isa);
      } catch (const Failure&) {
      }
    }
    return found;
  }();
  return all;
}

// A suite that runs once per instruction set.
class OnEachIsa : public ::testing::TestWithParam<td_isa> {
 protected:
  const Kernels& kernels() const { return kernelsFor(GetParam()); }
};

inline std::string isaOfTest(const ::testing::TestParamInfo<td_isa>& info) {
  return isaName(info.param);
}

// `count` elements whose bytes are all ones (NaN as float or half, -1 as an integer), with guard bytes on both sides.
// Under the address sanitizer the elements end where the allocation ends, so that it sees what the guards cannot:
// reads.
template <class T>
class Poisoned {
 public:
  explicit Poisoned(int64_t count)
      : count_(static_cast<size_t>(count)),
        bytes_(new unsigned char[kGuard + count_ * sizeof(T) + kBehind]),
        data_(reinterpret_cast<T*>(bytes_.get() + kGuard)) {
    memset(bytes_.get(), kGuardByte, kGuard);
    memset(data_, 0xff, count_ * sizeof(T));
    memset(bytes_.get() + kGuard + count_ * sizeof(T), kGuardByte, kBehind);
  }

  T* data() const { return data_; }
  size_t size() const { return count_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + count_; }
  T& operator[](int64_t index) const { return data_[index]; }
  operator std::span<const T>() const { return {data_, count_}; }

  ::testing::AssertionResult intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (bytes_[i] != kGuardByte) return ::testing::AssertionFailure() << kGuard - i << " bytes before the output";
    }
    const unsigned char* behind = bytes_.get() + kGuard + count_ * sizeof(T);
    for (size_t i = 0; i < kBehind; ++i) {
      if (behind[i] != kGuardByte) return ::testing::AssertionFailure() << i << " bytes behind the output";
    }
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr size_t kGuard = 64, kBehind = kAddressSanitizer ? 0 : 64;
  static constexpr unsigned char kGuardByte = 0xa5;

  size_t count_;
  std::unique_ptr<unsigned char[]> bytes_;
  T* data_;
};

// Equal bit by bit; any NaN equals any other, because no instruction set promises its sign and payload.
inline bool sameBits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

inline ::testing::AssertionResult sameBits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " elements";
  for (size_t i = 0; i < a.size(); ++i) {
    if (!sameBits(a[i], b[i]))
      return ::testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
  }
  return ::testing::AssertionSuccess();
}

// Half an ulp of 1: the largest relative error of one rounded operation in float.
constexpr double kRounding = 0x1p-24;

// A value with the largest error that its computation in float can have.
struct Bounded {
  double value = 0;
  double tolerance = 0;
};

inline ::testing::AssertionResult within(float actual, Bounded expected) {
  if (std::abs(actual - expected.value) <= expected.tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << actual << " instead of " << expected.value << ", error "
                                       << std::abs(actual - expected.value) << " > " << expected.tolerance;
}

inline float infinity() {
  return std::numeric_limits<float>::infinity();
}
inline float notANumber() {
  return std::numeric_limits<float>::quiet_NaN();
}

}  // namespace td::testing
