// An operation as the CPU runs it: one or more passes, each a number of chunks that may run in any order on any worker.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/operations.h"
#include "cpu/kernels.h"

namespace td {

// Memory that an operation works in. Operations run one after another, so those of a program share one piece: in front
// what all workers of an operation share, then what each has for itself.
struct WorkNeed {
  int64_t shared = 0, perWorker = 0;  // bytes

  // Each part begins on a cache line of its own.
  int64_t sharedBytes() const { return aligned(shared); }
  int64_t workerOffset(int worker) const { return sharedBytes() + worker * aligned(perWorker); }
  int64_t bytes(int threads) const { return workerOffset(threads); }

 private:
  static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
};

WorkNeed matMulWork(const Kernels& kernels, int32_t weightType, td_layout layout, int64_t columns);
WorkNeed attentionWork(int headsPerKvHead, int headSize);
WorkNeed selectWork(int64_t rows, int64_t vocabulary);
WorkNeed pickWork(int64_t rows, int64_t vocabulary);

class CpuOperation {
 public:
  virtual ~CpuOperation() = default;
  // Asked before every pass, so that an operation can go on until something has happened.
  virtual int passes() const { return 1; }
  // Prepares a pass over `rows` rows (at least 1) and returns its number of chunks. Throws Failure for values out of
  // range.
  virtual int64_t open(int pass, int64_t rows) = 0;
  // Runs one chunk. scratch: the worker's own part of the work memory, aligned to 64.
  virtual void run(int pass, int64_t chunk, uint8_t* scratch) = 0;
  virtual WorkNeed work() const { return {}; }
  // Told once, before anything runs: where the part lies that the workers share, aligned to 64.
  virtual void useShared(uint8_t*) {}
};

// What compiling an operation needs to know of the device.
struct CpuTarget {
  const Kernels& kernels;
  int threads;
  int nodes = 1;  // of memory
};

// Whether matmuls of the same rows may run as one: they read the same activations, and none writes what another
// touches.
bool mayJoin(const op::MatMul& first, const op::MatMul& second);

// Null for Signal and Wait, which the program handles itself.
std::unique_ptr<CpuOperation> compileOperation(const Operation& operation, const CpuTarget& target);

// What a step's numbers refer to, checked.
int64_t checkedIndex(const Tensor& indices, int64_t row, int64_t bound, const char* what);
void checkAdjustments(const op::Adjust& operation, int64_t rows);
void checkDraw(const op::Pick& operation, int64_t row);
// The block numbers of a token's context, checked against the pool: (layer, KV head) data of the block of 16 positions
// `index`.
const uint16_t* kvBlock(const CachedTokens& tokens, int64_t token, int64_t index, int kvHead);
// The token's position, checked.
int64_t positionOf(const CachedTokens& tokens, int64_t token);

std::unique_ptr<CpuOperation> makeAwait(const op::Await& operation);
// Several matmuls, each of which may join each other, are one pass over all their chunks: queries, keys and values, or
// gate and up, wait for one another once instead of three times or twice.
std::unique_ptr<CpuOperation> makeMatMuls(std::span<const op::MatMul> operations, const CpuTarget& target);
// Operations of one pass each that do not touch what another writes, as one pass: every stretch of its chunks has about
// the same fraction of each, in order. So where a pass is cut into one range per memory node, so is every operation.
std::unique_ptr<CpuOperation> makeInterleaved(std::vector<std::unique_ptr<CpuOperation>> operations);
std::unique_ptr<CpuOperation> makeAttention(const op::Attention& operation, const CpuTarget& target);
std::unique_ptr<CpuOperation> makeAdjust(const op::Adjust& operation, const CpuTarget& target);
std::unique_ptr<CpuOperation> makeSelect(const op::Select& operation, const CpuTarget& target);
std::unique_ptr<CpuOperation> makePick(const op::Pick& operation, const CpuTarget& target);

}  // namespace td
