// The CPU kernels and how one set of them is chosen.
//
// A kernel source is compiled once per instruction set with -DTD_ISA=<name of the set>, and everything that it defines
// lies in namespace tandem::cpu::TD_ISA. Nothing else may get out of it: were a std:: template instantiated there, the
// linker could keep the AVX-512 copy of it for the whole library. tests/isa_symbols.cmake checks that.
#pragma once

#include <cstddef>

namespace tandem::cpu {

struct Kernels {
  const char* isa;

  // sum[i] += addend[i]
  void (*add)(float* sum, const float* addend, size_t count);
};

namespace scalar {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}

// The best set that this processor runs, or the one that TANDEM_ISA (scalar, avx2, avx512) names, if the processor
// runs that. Chosen once.
const Kernels& kernels();

// The same choice for a wish of any origin; nullptr where the processor cannot run it or the name is unknown.
const Kernels* kernels_named(const char* isa);

}  // namespace tandem::cpu
