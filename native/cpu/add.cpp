// sum[i] += addend[i]

#include "cpu/kernels.h"

namespace tandem::cpu::TD_ISA {
namespace {

void add(float* sum, const float* addend, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    sum[i] += addend[i];
  }
}

}  // namespace

#define TD_TEXT_OF(name) #name
#define TD_TEXT(name) TD_TEXT_OF(name)
extern const Kernels kernels = {TD_TEXT(TD_ISA), add};

}  // namespace tandem::cpu::TD_ISA
