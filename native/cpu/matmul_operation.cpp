// Matmul in chunks: a few row groups by a block of tokens, of one matrix or of several that read the same activations.
// Weights in plain layout are packed into tiles on the way, group by group, so that the kernels, and the results, are
// the same.
#include <algorithm>
#include <vector>

#include "core/activation.h"
#include "core/thread_pool.h"
#include "core/tiles.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

// One matrix, in chunks of row groups by tokens.
class MatMul {
 public:
  // mostChunks: that its cut may have.
  MatMul(const op::MatMul& o, const CpuTarget& target, int64_t mostChunks)
      : o_(o),
        format_(formatOf(o.weight.type)),
        kernel_(target.kernels.matmul(o.weight.type)),
        work_(matMulWork(target.kernels, o.weight.type, o.weight.layout, o.weight.columns)),
        threads_(target.threads),
        mostChunks_(mostChunks),
        blocks_(blocksPerRow(format_, o.weight.columns)),
        groups_(rowGroups(o.weight.rows)),
        groupBytes_(blocks_ * tileBytes(format_)) {}

  // Enough chunks to keep all threads busy to the end, each up to about a hundred microseconds if the matrix is large
  // enough.
  int64_t open(int64_t rows) {
    tokens_ = rows;
    constexpr int64_t kMostTokensPerChunk = 128;
    const int64_t most = Job::perChunk(rows, kMostTokensPerChunk, mostChunks_);
    tokenBlocks_ = (rows + most - 1) / most;
    tokensPerBlock_ = (rows + tokenBlocks_ - 1) / tokenBlocks_;
    const double products = static_cast<double>(kTileRows * o_.weight.columns * tokensPerBlock_);
    const double nanosPerGroup =
        std::max(static_cast<double>(groupBytes_) / kBytesPerNano, products / productsPerNano());
    const int64_t byTime = static_cast<int64_t>(kNanosPerChunk / nanosPerGroup),
                  byThreads = groups_ * tokenBlocks_ / (kChunksPerThread * threads_);
    const int64_t pairs = std::max<int64_t>(1, std::min(byTime, byThreads) / 2);  // kernels like pairs of groups
    groupsPerChunk_ = Job::perChunk(groups_, 2 * pairs, mostChunks_ / tokenBlocks_);
    chunksPerBlock_ = (groups_ + groupsPerChunk_ - 1) / groupsPerChunk_;
    return chunksPerBlock_ * tokenBlocks_;
  }

  void run(int64_t chunk, uint8_t* scratch) const {
    const int64_t group = chunk % chunksPerBlock_ * groupsPerChunk_;
    const int64_t token = chunk / chunksPerBlock_ * tokensPerBlock_;
    const int64_t groups = std::min(groupsPerChunk_, groups_ - group);
    if (o_.weight.layout == TD_TILES) {
      compute(o_.weight.data + group * groupBytes_, group, groups, token, scratch);
      return;
    }
    for (int64_t g = group; g < group + groups; ++g) {
      const int64_t row = g * kTileRows;
      const int rows = static_cast<int>(std::min<int64_t>(kTileRows, o_.weight.rows - row));
      packTiles(format_, o_.weight.row<uint8_t>(row), o_.weight.rowBytes, rows, o_.weight.columns, 0, blocks_, scratch);
      compute(scratch, g, 1, token, nullptr);
    }
  }

  const WorkNeed& work() const { return work_; }

 private:
  // What a core does, about.
  static constexpr double kBytesPerNano = 20, kNanosPerChunk = 80e3;
  static constexpr int64_t kChunksPerThread = 16;
  double productsPerNano() const {
    switch (o_.x.type) {
      case TD_ACT8:
        return 300;
      case TD_ACTBF16:
        return 230;
      default:
        return 115;
    }
  }

  void compute(const uint8_t* tiles, int64_t group, int64_t groups, int64_t token, uint8_t* work) const {
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
             .bias = o_.bias ? o_.bias->as<float>() + row : nullptr,
             .work = work});
  }

  op::MatMul o_;
  const Format& format_;
  void (*kernel_)(const MatMulPiece&);
  WorkNeed work_;
  int threads_;
  int64_t mostChunks_, blocks_, groups_, groupBytes_;
  int64_t tokens_ = 0, tokenBlocks_ = 0, tokensPerBlock_ = 0, groupsPerChunk_ = 0, chunksPerBlock_ = 0;
};

class MatMulsOperation final : public CpuOperation {
 public:
  MatMulsOperation(std::span<const op::MatMul> operations, const CpuTarget& target) : ends_(operations.size()) {
    for (const op::MatMul& o : operations) {
      parts_.emplace_back(o, target, Job::kMostChunks / static_cast<int64_t>(operations.size()));
    }
  }

  int64_t open(int, int64_t rows) override {
    int64_t chunks = 0;
    for (size_t i = 0; i < parts_.size(); ++i) ends_[i] = chunks += parts_[i].open(rows);
    return chunks;
  }

  void run(int, int64_t chunk, uint8_t* scratch) override {
    size_t part = 0;
    while (chunk >= ends_[part]) ++part;
    parts_[part].run(part == 0 ? chunk : chunk - ends_[part - 1], scratch);
  }

  WorkNeed work() const override {
    WorkNeed most;
    for (const MatMul& part : parts_) most.perWorker = std::max(most.perWorker, part.work().perWorker);
    return most;
  }

 private:
  std::vector<MatMul> parts_;
  std::vector<int64_t> ends_;  // of the parts' chunks, in one row
};

bool overlap(const Tensor& one, const Tensor& other) {
  return one.data < other.data + other.rows * other.rowBytes && other.data < one.data + one.rows * one.rowBytes;
}

}  // namespace

bool mayJoin(const op::MatMul& first, const op::MatMul& second) {
  return first.x.data == second.x.data && first.x.type == second.x.type && first.x.columns == second.x.columns &&
         !overlap(first.out, second.x) && !overlap(second.out, first.x) && !overlap(first.out, second.out);
}

// Weights in plain layout are packed into tiles here, one row group at a time; from tiles, some kernels unpack them.
WorkNeed matMulWork(const Kernels& kernels, int32_t weightType, td_layout layout, int64_t columns) {
  const Format& format = formatOf(weightType);
  return {0, layout == TD_TILES ? kernels.matmulWorkBytes(weightType, columns)
                                : blocksPerRow(format, columns) * tileBytes(format)};
}

std::unique_ptr<CpuOperation> makeMatMuls(std::span<const op::MatMul> operations, const CpuTarget& target) {
  return std::make_unique<MatMulsOperation>(operations, target);
}

}  // namespace td
