// AMX's instructions. By assembler, not by the compiler's functions: GCC's are macros that want the registers' numbers
// as digits, and do not say that a load reads memory.
#pragma once

#include "cpu/tile_shapes.h"

namespace td::TD_ISA {

struct TileRegisters {
  static void configure(const TileShapes& shapes) { asm volatile("ldtilecfg %0" : : "m"(shapes)); }
  static void release() { asm volatile("tilerelease"); }

  template <int T>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  static void load(const void* first, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(first), "r"(stride), "i"(T) : "memory");
  }
  // Of int8 by int8.
  template <int Sums, int A, int B>
  static void dot() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(A), "i"(B));
  }
  template <int T>
  static void store(void* first, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(first), "r"(stride), "i"(T) : "memory");
  }
};

}  // namespace td::TD_ISA
