// Which instruction sets this build and this machine have.
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
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
namespace amx {
void (*matmul(int32_t weightType))(const MatMulPiece&);
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

// Of the tile registers, the processor must have the instructions, the system must keep the contents, and it must let
// this process use them: Linux wants to be asked, once, for all threads (Documentation/arch/x86/xstate.rst).
bool cpuHasAmx() {
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  return (~Cpuid(7, 0).edx & (kTile | kInt8)) == 0;
}
bool systemKeepsTiles() {
  if ((Cpuid(1, 0).ecx >> 27 & 1) == 0) return false;  // the next instruction is not to be used
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kConfiguration = 1u << 17, kData = 1u << 18;
  return (~low & (kConfiguration | kData)) == 0;
}
bool systemPermitsTiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
bool mayUseAmx() {
  static const bool may = cpuHasAmx() && systemKeepsTiles() && systemPermitsTiles();
  return may;
}

// AVX-512's kernels, but for matmul.
const Kernels& amxTable() {
  static const Kernels table = [] {
    Kernels kernels = avx512::table;
    kernels.isa = TD_ISA_AMX;
    kernels.matmul = amx::matmul;
    kernels.matmulWorkBytes = [](int32_t, int64_t) -> int64_t { return 0; };
    return kernels;
  }();
  return table;
}
#endif

bool machineHas(td_isa isa) {
  if (isa == TD_ISA_SCALAR) return true;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpuHasF16c();
  if (isa == TD_ISA_AVX2) return avx2;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vnni") && cpuHasBf16();
  return isa == TD_ISA_AMX ? avx512 && mayUseAmx() : avx512;
#else
  return false;
#endif
}

}  // namespace

const char* isaName(td_isa isa) {
  switch (isa) {
    case TD_ISA_AMX:
      return "amx";
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
  if (isa == TD_ISA_AMX) return amxTable();
  if (isa == TD_ISA_AVX512) return avx512::table;
  if (isa == TD_ISA_AVX2) return avx2::table;
#endif
  return scalar::table;
}

td_isa chooseIsa(const char* name) {
  const std::string wanted = name;
  // The best first. AMX only where it is asked for: nobody has measured it yet.
  for (const td_isa isa : {TD_ISA_AVX512, TD_ISA_AVX2, TD_ISA_SCALAR, TD_ISA_AMX}) {
    if (wanted.empty() ? machineHas(isa) : wanted == isaName(isa)) return isa;
  }
  fail(TD_UNSUPPORTED, "instruction set %s does not exist; known: scalar, avx2, avx512, amx", name);
}

}  // namespace td
