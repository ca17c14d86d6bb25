// The weights of tokens for a draw: plain loops, which the compiler turns into vectors. Each element is computed by
// itself and sums have eight lanes, so all instruction sets give the same bits.
#include "core/exponential.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

void exponentials(const float* logits, int64_t count, float base, double factor, double* out) {
  const double from = static_cast<double>(base);
  const auto exponent = [&](int64_t i) { return (static_cast<double>(logits[i]) - from) * factor; };
  for (int64_t i = 0; i < count; ++i) out[i] = cutExponent(exponent(i));
  for (int64_t i = 0; i < count; ++i) out[i] = exponentialOfCut(out[i]);
  for (int64_t i = 0; i < count; ++i) out[i] = exponent(i) < kLeastExponent ? 0.0 : out[i];
}

// Lane i mod 8 sums element i; then the lanes by halves.
double weigh(const float* logits, int32_t firstId, int64_t count, const KeptRange& kept, double factor, double* out) {
  exponentials(logits, count, kept.firstLogit, factor, out);
  for (int64_t i = 0; i < count; ++i) {
    const float logit = logits[i];
    const int32_t id = firstId + static_cast<int32_t>(i);
    // & and |, not && and ||: without branches.
    const bool notBefore = (logit < kept.firstLogit) | ((logit == kept.firstLogit) & (id >= kept.firstId));
    const bool notBehind = (logit > kept.lastLogit) | ((logit == kept.lastLogit) & (id <= kept.lastId));
    out[i] = notBefore & notBehind ? out[i] : 0.0;
  }
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += out[i + lane];
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes[lane] += out[i];
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

}  // namespace td::TD_ISA
