// Penalties and biases on rows of logits, in place: l = (l > 0 ? l / factor : l * factor) + addend, one after another,
// cut to the finite numbers.
//
// A warp per row takes 32 adjustments at a time: each lane reads one and its logit, then they follow one another, each
// handing its result to the later ones of the same token; the last of a token stores it.
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr unsigned kAll = 0xffffffff;

// NaN stays what it is.
__device__ __forceinline__ float finite(float x) {
  constexpr float kMost = 0x1.fffffep+127f;
  if (x > kMost) return kMost;
  return x < -kMost ? -kMost : x;
}

// What is not finite stays so, for Select to find; what no factor or addend can be makes it so.
__device__ __forceinline__ float adjusted(float logit, float factor, float addend) {
  if (!isfinite(logit)) return logit;
  if (!(factor > 0) || isinf(factor) || isnan(addend)) return __int_as_float(0x7fffffff);
  // Finite first: the infinities of a penalty and a bias might meet.
  return finite(finite(logit > 0 ? logit / factor : logit * factor) + addend);
}

}  // namespace

__global__ void __launch_bounds__(kThreads)
    adjustKernel(Global<float> logits, Global<const int> counts, Global<const int> ids, Global<const float> factors,
                 Global<const float> addends, int64_t rows, int vocabulary, int places) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / 32;
  if (row >= rows) return;
  const int count = min(static_cast<int>(counts[row]), places);
  const ptrdiff_t firstLogit = row * vocabulary;
  for (int first = 0; first < count; first += 32) {
    const ptrdiff_t at = row * places + first + lane;
    int id = -1;
    float logit = 0, factor = 1, addend = 0;
    if (first + lane < count) {
      id = ids[at];
      factor = factors[at];
      addend = addends[at];
    }
    bool last = id >= 0 && id < vocabulary;
    if (last) logit = logits[firstLogit + id];
    for (int i = 0; i < min(32, count - first); ++i) {
      if (lane == i) logit = adjusted(logit, factor, addend);
      const int other = __shfl_sync(kAll, id, i);
      const float result = __shfl_sync(kAll, logit, i);
      if (other != id) continue;
      if (lane > i) logit = result;
      if (lane < i) last = false;
    }
    __syncwarp();  // all have read
    if (last) logits[firstLogit + id] = logit;
    __syncwarp();  // the next 32 may read it
  }
}

DeviceError adjust(void* stream, const AdjustCall& call) {
  if (call.rows == 0) return {};
  return launch<adjustKernel>(static_cast<unsigned>((call.rows + kWarps - 1) / kWarps), kThreads, 0,
                              static_cast<StreamRef>(stream), call.logits, call.counts, call.ids, call.factors,
                              call.addends, call.rows, static_cast<int>(call.vocabulary),
                              static_cast<int>(call.places));
}

}  // namespace td::TD_VIEWS
