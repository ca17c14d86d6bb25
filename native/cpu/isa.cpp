// Which instruction sets this build and this machine have.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <string>

#include "core/status.h"
#include "cpu/kernels.h"

namespace td {

namespace scalar {
extern const Kernels table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
#endif

namespace {

#if defined(__x86_64__)
// What __builtin_cpu_supports() of some compilers has no names for.
struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  Cpuid(unsigned leaf, unsigned subleaf) { __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx); }
};
bool cpuHasF16c() {
  return (Cpuid(1, 0).ecx >> 29 & 1) != 0;
}
bool cpuHasBf16() {
  return (Cpuid(7, 1).eax >> 5 & 1) != 0;
}
#endif

bool machineHas(td_isa isa) {
  if (isa == TD_ISA_SCALAR) return true;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpuHasF16c();
  if (isa == TD_ISA_AVX2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni") && cpuHasBf16();
#else
  return false;
#endif
}

}  // namespace

const char* isaName(td_isa isa) {
  switch (isa) {
    case TD_ISA_AVX512:
      return "avx512";
    case TD_ISA_AVX2:
      return "avx2";
    default:
      return "scalar";
  }
}

const Kernels& kernelsFor(td_isa isa) {
  if (!machineHas(isa)) {
    fail(TD_UNSUPPORTED, "instruction set %s: this machine does not have it; its best is %s", isaName(isa),
         isaName(chooseIsa("")));
  }
#if defined(__x86_64__)
  if (isa == TD_ISA_AVX512) return avx512::table;
  if (isa == TD_ISA_AVX2) return avx2::table;
#endif
  return scalar::table;
}

td_isa chooseIsa(const char* name) {
  const std::string wanted = name;
  for (const td_isa isa : {TD_ISA_AVX512, TD_ISA_AVX2, TD_ISA_SCALAR}) {
    if (wanted.empty() ? machineHas(isa) : wanted == isaName(isa)) return isa;
  }
  fail(TD_UNSUPPORTED, "instruction set %s does not exist; known: scalar, avx2, avx512", name);
}

}  // namespace td
