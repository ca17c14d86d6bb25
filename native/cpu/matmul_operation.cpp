// Matmul in chunks: a few row groups by a block of tokens. Weights in plain layout are packed into tiles on the way,
// group by group, so that the kernels, and the results, are the same.
#include <algorithm>

#include "core/activation.h"
#include "core/thread_pool.h"
#include "core/tiles.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

class MatMulOperation final : public CpuOperation {
 public:
  MatMulOperation(const op::MatMul& o, const CpuTarget& target)
      : o_(o),
        format_(formatOf(o.weight.type)),
        kernel_(target.kernels.matmul(o.weight.type)),
        threads_(target.threads),
        blocks_(blocksPerRow(format_, o.weight.columns)),
        groups_(rowGroups(o.weight.rows)),
        groupBytes_(blocks_ * tileBytes(format_)) {}

  // Enough chunks to keep all threads busy to the end, each a few tens of microseconds if the matrix is large enough.
  int64_t open(int, int64_t rows) override {
    tokens_ = rows;
    constexpr int64_t kMostTokensPerChunk = 128;
    const int64_t most = Job::perChunk(rows, kMostTokensPerChunk);
    tokenBlocks_ = (rows + most - 1) / most;
    tokensPerBlock_ = (rows + tokenBlocks_ - 1) / tokenBlocks_;
    const double nanosPerGroup = std::max(static_cast<double>(groupBytes_) / 20.0,  // at 20 GB/s
                                          static_cast<double>(kTileRows * o_.weight.columns * tokensPerBlock_) / 200.0);
    const int64_t byTime = static_cast<int64_t>(40e3 / nanosPerGroup);
    const int64_t byThreads = groups_ * tokenBlocks_ / (4 * threads_);
    groupsPerChunk_ = Job::perChunk(groups_, std::clamp<int64_t>(std::min(byTime, byThreads), 1, groups_),
                                    Job::kMostChunks / tokenBlocks_);
    chunksPerBlock_ = (groups_ + groupsPerChunk_ - 1) / groupsPerChunk_;
    return chunksPerBlock_ * tokenBlocks_;
  }

  void run(int, int64_t chunk, uint8_t* scratch) override {
    const int64_t group = chunk % chunksPerBlock_ * groupsPerChunk_;
    const int64_t token = chunk / chunksPerBlock_ * tokensPerBlock_;
    const int64_t groups = std::min(groupsPerChunk_, groups_ - group);
    if (o_.weight.layout == TD_TILES) {
      compute(o_.weight.data + group * groupBytes_, group, groups, token);
      return;
    }
    for (int64_t g = group; g < group + groups; ++g) {
      const int64_t row = g * kTileRows;
      const int rows = static_cast<int>(std::min<int64_t>(kTileRows, o_.weight.rows - row));
      packTiles(format_, o_.weight.row<uint8_t>(row), o_.weight.rowBytes, rows, o_.weight.columns, 0, blocks_, scratch);
      compute(scratch, g, 1, token);
    }
  }

  WorkNeed work() const override { return matMulWork(o_.weight.type, o_.weight.layout, o_.weight.columns); }

 private:
  void compute(const uint8_t* tiles, int64_t group, int64_t groups, int64_t token) const {
    const int64_t row = group * kTileRows;
    kernel_({.tiles = tiles,
             .groups = groups,
             .blocks = blocks_,
             .columns = o_.weight.columns,
             .x = o_.x.row<uint8_t>(token),
             .xRowBytes = o_.x.rowBytes,
             .tokens = std::min(tokensPerBlock_, tokens_ - token),
             .y = o_.out.row<float>(token) + row,
             .yStride = o_.out.columns,
             .rows = std::min(groups * kTileRows, o_.weight.rows - row),
             .bias = o_.bias ? o_.bias->as<float>() + row : nullptr});
  }

  const op::MatMul o_;
  const Format& format_;
  void (*const kernel_)(const MatMulPiece&);
  const int threads_;
  const int64_t blocks_, groups_, groupBytes_;
  int64_t tokens_ = 0, tokenBlocks_ = 0, tokensPerBlock_ = 0, groupsPerChunk_ = 0, chunksPerBlock_ = 0;
};

}  // namespace

// Weights in plain layout are packed into tiles here, one row group at a time.
WorkNeed matMulWork(int32_t weightType, td_layout layout, int64_t columns) {
  const Format& format = formatOf(weightType);
  return {0, layout == TD_TILES ? 0 : blocksPerRow(format, columns) * tileBytes(format)};
}

std::unique_ptr<CpuOperation> makeMatMul(const op::MatMul& operation, const CpuTarget& target) {
  return std::make_unique<MatMulOperation>(operation, target);
}

}  // namespace td
