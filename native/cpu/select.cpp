// Scanning logits for Select: the largest of each group of 64 (so that the best candidates are found without sorting a
// vocabulary), and the sum of the exponentials of a run of 4,096, relative to its largest.
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {

LogitRun scanLogits(const float* logits, int64_t count, float* groupLargest) {
  const F32x16 none = broadcast(-__builtin_inff());
  F32x16 runMost = none;
  F32x16 poison = zeroF();
  for (int64_t first = 0; first < count; first += kSelectGroup) {
    const int64_t end = first + kSelectGroup < count ? first + kSelectGroup : count;
    F32x16 most = none;
    for (int64_t i = first; i < end; i += 16) {
      const int lanes = static_cast<int>(end - i < 16 ? end - i : 16);
      const F32x16 v = loadFirst(logits + i, lanes);
      poison = mulAdd(v, zeroF(), poison);  // stays 0 while all is finite
      most = maximum(most, firstLanes(v, none, lanes));
    }
    groupLargest[first / kSelectGroup] = maxLane(most);
    runMost = maximum(runMost, most);
  }
  LogitRun run{maxLane(runMost), 0, sumLanes(poison) == 0};
  if (!run.finite) return run;
  F32x16 sum = zeroF();
  for (int64_t i = 0; i < count; i += 16) {
    const int lanes = static_cast<int>(count - i < 16 ? count - i : 16);
    const F32x16 e = exponential(sub(loadFirst(logits + i, lanes), broadcast(run.largest)));
    sum = add(sum, firstLanes(e, zeroF(), lanes));
  }
  run.sum = sumLanes(sum);
  return run;
}

}  // namespace td::TD_ISA
