// Which kernels this processor runs.

#include <cstdlib>
#include <cstring>

#include "cpu/kernels.h"

namespace tandem::cpu {
namespace {

const Kernels* best() {
#ifdef TD_HAS_avx512
  if (const Kernels* found = kernels_named("avx512")) {
    return found;
  }
#endif
#ifdef TD_HAS_avx2
  if (const Kernels* found = kernels_named("avx2")) {
    return found;
  }
#endif
  return &scalar::kernels;
}

const Kernels& choose() {
  const char* wish = std::getenv("TANDEM_ISA");
  const Kernels* wished = wish == nullptr ? nullptr : kernels_named(wish);
  return wished == nullptr ? *best() : *wished;
}

}  // namespace

const Kernels* kernels_named(const char* isa) {
  if (std::strcmp(isa, "scalar") == 0) {
    return &scalar::kernels;
  }
#ifdef TD_HAS_avx2
  if (std::strcmp(isa, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    return &avx2::kernels;
  }
#endif
#ifdef TD_HAS_avx512
  if (std::strcmp(isa, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16")) {
    return &avx512::kernels;
  }
#endif
  return nullptr;
}

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace tandem::cpu
