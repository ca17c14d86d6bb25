// AMX's tile registers, emulated, so that the kernel of cpu/matmul_amx.h runs on every machine. What the processor
// answers with an exception is noted as a fault here, and so are two things that it lets pass, but that no
// kernel means: reading a register that nothing was put into, and rows of a store that overlap.
//
// No templates and no std:: here: what includes this is compiled for other processors (isa_symbols.cmake).
#pragma once

#include <cstdint>

namespace td::testing {

void emulateConfigure(const void* shapes);
void emulateRelease();
void emulateZero(int tile);
void emulateLoad(int tile, const void* first, int64_t stride);
void emulateDot(int sums, int a, int b);
void emulateStore(int tile, void* first, int64_t stride);

// What this thread's registers have seen since the last call.
struct TileReport {
  bool configured;         // now
  int64_t configurations;  // loaded
  int64_t dots;
  int64_t faults;
  char firstFault[160];  // empty if there was none
};
TileReport tileReport();

}  // namespace td::testing

// The kernels with these registers and the lanes of an instruction set: emulated_amx.cpp, compiled for each.
namespace td {
struct MatMulPiece;
namespace scalar {
void (*emulatedAmx(int32_t weightType))(const MatMulPiece&);
}
namespace amx {
void (*emulatedAmx(int32_t weightType))(const MatMulPiece&);
}
}  // namespace td
