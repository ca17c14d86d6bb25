// Kernels with raw views that miss what orders two accesses: the thread sanitizer has to find it. Run with the name of
// what is missing; with "nothing" nothing is.
#include <cstdio>
#include <cstring>

#include "cuda/emulated/device.h"
#include "cuda/views.h"

namespace td::raw {
namespace {

__global__ void reverse(Global<float> x, bool inOrder) {
  const float other = x[63 - threadIdx.x];
  if (inOrder) __syncthreads();
  x[threadIdx.x] = other;
}

__global__ void reverseShared(Global<float> x, bool inOrder) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = x[threadIdx.x];
  if (inOrder) __syncwarp();
  __shfl_xor_sync(0xffffffff, 1, 1);  // orders nothing
  x[threadIdx.x] = values[threadIdx.x ^ 31];
}

__global__ void increment(Global<float> x) {
  x[threadIdx.x] += 1;
}

bool run(const char* missing) {
  const auto misses = [&](const char* what) { return strcmp(missing, what) == 0; };
  emulated::Device device({.checked = false});
  emulated::Stream first(device), second(device);
  emulated::Event event;
  DeviceAddress address;
  if (device.allocate(256, &address)) return false;
  const DeviceSpan<float> x{address, 64, "x"};
  float result[64];
  if (first.fill(address, 0, 256)) return false;
  if (launch<reverse>(1, 64, 0, &first, x, !misses("barrier"))) return false;
  if (launch<reverseShared>(1, 64, 0, &first, x, !misses("syncwarp"))) return false;
  if (first.record(event)) return false;
  if (!misses("event") && second.wait(event)) return false;
  if (launch<increment>(1, 64, 0, &second, x)) return false;
  if (second.copyToHost(result, address, 256)) return false;
  return !first.synchronize();
}

}  // namespace
}  // namespace td::raw

int main(int argc, char** argv) {
  if (argc != 2 || !td::raw::run(argv[1])) {
    std::fprintf(stderr, "could not run\n");
    return 1;
  }
  std::puts("has run");
  return 0;
}
