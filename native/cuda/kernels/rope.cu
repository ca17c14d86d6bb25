// Rotary embedding: angles of positions, and the rotation of heads by them.
//
//   angle   = position * frequency, in double precision: a float loses that of a far position
//   (a, b) -> (a cos - b sin, a sin + b cos)
#include "cuda/kernels/launchers.h"
#include "cuda/kernels/rotation.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int64_t kThreads = 128;

unsigned blocksFor(int64_t threads) {
  return static_cast<unsigned>((threads + kThreads - 1) / kThreads);
}

}  // namespace

// A thread per angle.
__global__ void __launch_bounds__(kThreads)
    ropeAnglesKernel(Global<const int> positions, Global<const double> frequencies, Global<float> angles, int64_t count,
                     int pairs) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const double angle = static_cast<double>(positions[i / pairs]) * frequencies[i % pairs];
  storeAs(angles, 2 * i, make_float2(static_cast<float>(cos(angle)), static_cast<float>(sin(angle))));
}

// A thread per pair.
__global__ void __launch_bounds__(kThreads)
    ropeKernel(Global<float> x, Global<const float> angles, Rotation rotation, int64_t count, int heads, int headSize) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t head = i / rotation.pairs, token = head / heads;
  rotation.rotate(x, head * headSize, static_cast<int>(i % rotation.pairs), angles, token * 2 * rotation.pairs);
}

DeviceError ropeAngles(void* stream, const RopeAnglesCall& call) {
  const auto pairs = static_cast<int>(call.frequencies.count);
  const int64_t count = call.tokens * pairs;
  if (count == 0) return {};
  return launch<ropeAnglesKernel>(blocksFor(count), static_cast<unsigned>(kThreads), 0, static_cast<StreamRef>(stream),
                                  call.positions, call.frequencies, call.angles, count, pairs);
}

DeviceError rope(void* stream, const RopeCall& call) {
  const int64_t count = call.tokens * call.heads * call.pairs;
  if (count == 0) return {};
  return launch<ropeKernel>(blocksFor(count), static_cast<unsigned>(kThreads), 0, static_cast<StreamRef>(stream),
                            call.x, call.angles, Rotation(call.pairs, call.layout), count, call.heads, call.headSize);
}

}  // namespace td::TD_VIEWS
