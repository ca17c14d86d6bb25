// A row of logits in the order of Select (higher logit first, then lower id), with the exponentials of their distances
// from the first: what filters walk along.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"

namespace td {

class LogitOrder {
 public:
  // Memory that an order works in: two words of 64 bits per logit.
  static int64_t wordsFor(int64_t count) { return 2 * count; }
  // For each block of exponentials.
  static constexpr int64_t kBlock = kSelectRun;

  // words: wordsFor(count) of them. block: kBlock floats.
  LogitOrder(const Kernels& kernels, const float* logits, int64_t count, uint64_t* words, float* block);

  int32_t id(int64_t place) const { return static_cast<int32_t>(sorted_[place] & 0xffffffffu); }
  float logit(int64_t place) const { return logits_[id(place)]; }
  // How far it is below the best; exact.
  double distance(int64_t place) const { return static_cast<double>(best_) - static_cast<double>(logit(place)); }
  // e^-distance, computed as far as anybody asked.
  double exponential(int64_t place) {
    while (place >= known_) computeBlock();
    return exponentials_[place];
  }

 private:
  void sort(uint64_t* words);
  void computeBlock();

  const Kernels& kernels_;
  const float* logits_;
  const int64_t count_;
  float* block_;
  const uint64_t* sorted_ = nullptr;
  double* exponentials_ = nullptr;  // where the sort's other half was
  int64_t known_ = 0;
  float best_ = 0;
};

}  // namespace td
