// Between ordinary memory of the host and memory of a device, by way of two pieces of pinned memory: while one is
// copied the other is filled, or emptied.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/gpu_context.h"

namespace td {

class GpuTransfers {
 public:
  static constexpr int64_t kPieceBytes = int64_t{2} << 20;

  explicit GpuTransfers(std::shared_ptr<Gpu> gpu);
  ~GpuTransfers();

  // Writes `pieces` pieces of device memory, one after another: `fill` puts piece i into pinned memory and says how
  // many bytes it is and where it goes. Several threads may do so at the same time, each on a stream of its own.
  // Returns when all has arrived.
  struct Piece {
    uint64_t address;
    int64_t bytes;
  };
  void write(int64_t pieces, int64_t pieceBytes, const std::function<Piece(int64_t piece, uint8_t* pinned)>& fill);
  void write(uint64_t address, const uint8_t* source, int64_t bytes);
  void read(uint64_t address, uint8_t* destination, int64_t bytes);
  void zero(uint64_t address, int64_t bytes);

 private:
  struct Lane;
  // A lane for this thread alone, until it is given back.
  class Loan;

  std::shared_ptr<Gpu> gpu_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Lane>> idle_;
};

}  // namespace td
