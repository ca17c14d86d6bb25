// Kernels with raw views that miss what orders two accesses, or leave their memory: the sanitizers have to find it. Run
// with the name of what is wrong; with "nothing" nothing is.
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

// Behind the end of what it is given; on a GPU, too, that is somebody else's.
__global__ void leaves(Global<float> x, int memory, int by) {
  TD_SHARED(float, first, 64);
  TD_SHARED(float, second, 64);
  float local[8] = {};
  float* volatile hidden = local;  // or the compiler sees what is wrong
  first[threadIdx.x] = second[threadIdx.x] = 0;
  __syncthreads();
  const int i = static_cast<int>(threadIdx.x) + by;
  if (memory == 0) x[i] = 1;
  if (memory == 1) first[i] = 1;
  if (memory == 2) hidden[threadIdx.x % 8 + static_cast<unsigned>(by)] = 1;
  x[threadIdx.x] = first[threadIdx.x] + local[threadIdx.x % 8];
}

bool run(const char* wrong) {
  const auto misses = [&](const char* what) { return strcmp(wrong, what) == 0; };
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
  const int memory = misses("global") ? 0 : misses("shared") ? 1 : misses("local") ? 2 : 3;
  if (launch<leaves>(1, 64, 0, &first, x, memory, 1)) return false;
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
