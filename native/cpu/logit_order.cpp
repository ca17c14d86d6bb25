#include "cpu/logit_order.h"

#include <algorithm>
#include <bit>

namespace td {
namespace {

constexpr int kDigits = 4, kDigitBits = 8, kBuckets = 1 << kDigitBits;

// Grows as the logit falls; -0 and 0 are the same logit.
uint32_t keyOf(float logit) {
  const uint32_t bits = std::bit_cast<uint32_t>(logit + 0.0f);
  const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~rising;
}

uint32_t digitOf(uint64_t word, int digit) {
  return static_cast<uint32_t>(word >> (32 + digit * kDigitBits)) & (kBuckets - 1);
}

}  // namespace

LogitOrder::LogitOrder(const Kernels& kernels, const float* logits, int64_t count, uint64_t* words, float* block)
    : kernels_(kernels), logits_(logits), count_(count), block_(block) {
  sort(words);
  best_ = logit(0);
}

// Radix sort of (key, id) by the key's digits, the lowest first: stable, so that ids stay in order, and as fast for
// every row.
void LogitOrder::sort(uint64_t* words) {
  uint64_t *from = words, *to = words + count_;
  int64_t counts[kDigits][kBuckets] = {};
  for (int64_t id = 0; id < count_; ++id) {
    const uint64_t word = static_cast<uint64_t>(keyOf(logits_[id])) << 32 | static_cast<uint64_t>(id);
    from[id] = word;
    for (int digit = 0; digit < kDigits; ++digit) ++counts[digit][digitOf(word, digit)];
  }
  for (int digit = 0; digit < kDigits; ++digit) {
    if (counts[digit][digitOf(from[0], digit)] == count_) continue;  // all the same
    int64_t places[kBuckets];
    int64_t place = 0;
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      places[bucket] = place;
      place += counts[digit][bucket];
    }
    for (int64_t i = 0; i < count_; ++i) to[places[digitOf(from[i], digit)]++] = from[i];
    std::swap(from, to);
  }
  sorted_ = from;
  static_assert(sizeof(double) == sizeof(uint64_t));
  exponentials_ = reinterpret_cast<double*>(to);
}

void LogitOrder::computeBlock() {
  const int64_t end = std::min(count_, known_ + kBlock);
  for (int64_t place = known_; place < end; ++place) block_[place - known_] = logit(place);
  kernels_.exponentials(block_, end - known_, best_, 1, exponentials_ + known_);
  known_ = end;
}

}  // namespace td
