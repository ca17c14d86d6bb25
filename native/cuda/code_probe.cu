// A kernel that is never run: it is compiled for the architectures of all others, so who finds it finds them.
#include "cuda/code_probe.h"

namespace {

__global__ void nothing() {}

}  // namespace

cudaError_t findCode() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, nothing);
}
