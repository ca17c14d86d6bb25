#include "cuda/gpu_transfer.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace td {
namespace {

uint64_t addressOf(const void* memory) {
  return reinterpret_cast<uint64_t>(memory);
}

}  // namespace

struct GpuTransfers::Lane {
  struct Half {
    explicit Half(const std::shared_ptr<Gpu>& gpu) : copied(gpu) {}
    std::optional<PinnedMemory> memory;
    GpuEvent copied;
  };

  explicit Lane(const std::shared_ptr<Gpu>& owner) : gpu(owner), stream(owner), halves{Half(owner), Half(owner)} {}
  ~Lane() { stream.settle(); }

  // Pinned memory of at least so many bytes that no copy uses any more.
  uint8_t* take(Half& half, int64_t bytes) {
    half.copied.await();
    if (!half.memory || half.memory->size() < bytes) {
      half.memory.reset();
      half.memory.emplace(gpu, std::max(bytes, kPieceBytes));
    }
    return half.memory->data();
  }

  std::shared_ptr<Gpu> gpu;
  GpuStream stream;
  Half halves[2];
};

class GpuTransfers::Loan {
 public:
  explicit Loan(GpuTransfers& owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner.mutex_);
      if (!owner.idle_.empty()) {
        lane_ = std::move(owner.idle_.back());
        owner.idle_.pop_back();
      }
    }
    if (!lane_) lane_ = std::make_unique<Lane>(owner.gpu_);
  }
  ~Loan() {
    // After a failure copies may still be under way, and their stream is of no use to others.
    if (!lane_->stream.settle()) return;
    const std::lock_guard lock(owner_.mutex_);
    owner_.idle_.push_back(std::move(lane_));
  }
  Loan(const Loan&) = delete;
  Lane& operator*() { return *lane_; }

 private:
  GpuTransfers& owner_;
  std::unique_ptr<Lane> lane_;
};

GpuTransfers::GpuTransfers(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {}

GpuTransfers::~GpuTransfers() = default;

void GpuTransfers::write(int64_t pieces, int64_t pieceBytes,
                         const std::function<Piece(int64_t piece, uint8_t* pinned)>& fill) {
  Loan loan(*this);
  Lane& lane = *loan;
  for (int64_t i = 0; i < pieces; ++i) {
    Lane::Half& half = lane.halves[i % 2];
    uint8_t* const pinned = lane.take(half, pieceBytes);
    const Piece piece = fill(i, pinned);
    lane.stream.copy(piece.address, addressOf(pinned), piece.bytes, TD_GPU_TO_DEVICE);
    lane.stream.record(half.copied);
  }
  lane.stream.synchronize();
}

void GpuTransfers::write(uint64_t address, const uint8_t* source, int64_t bytes) {
  write((bytes + kPieceBytes - 1) / kPieceBytes, kPieceBytes, [&](int64_t i, uint8_t* pinned) {
    const int64_t offset = i * kPieceBytes;
    const int64_t count = std::min(kPieceBytes, bytes - offset);
    memcpy(pinned, source + offset, static_cast<size_t>(count));
    return Piece{address + static_cast<uint64_t>(offset), count};
  });
}

void GpuTransfers::read(uint64_t address, uint8_t* destination, int64_t bytes) {
  Loan loan(*this);
  Lane& lane = *loan;
  const int64_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  // Piece i is on its way while piece i - 1 is taken out.
  for (int64_t i = 0; i <= pieces; ++i) {
    if (i < pieces) {
      Lane::Half& half = lane.halves[i % 2];
      uint8_t* const pinned = lane.take(half, kPieceBytes);
      const int64_t offset = i * kPieceBytes;
      lane.stream.copy(addressOf(pinned), address + static_cast<uint64_t>(offset),
                       std::min(kPieceBytes, bytes - offset), TD_GPU_TO_HOST);
      lane.stream.record(half.copied);
    }
    if (i > 0) {
      const int64_t offset = (i - 1) * kPieceBytes;
      const uint8_t* const pinned = lane.take(lane.halves[(i - 1) % 2], kPieceBytes);
      memcpy(destination + offset, pinned, static_cast<size_t>(std::min(kPieceBytes, bytes - offset)));
    }
  }
}

void GpuTransfers::zero(uint64_t address, int64_t bytes) {
  Loan loan(*this);
  Lane& lane = *loan;
  lane.stream.fill(address, 0, bytes);
  lane.stream.synchronize();
}

}  // namespace td
