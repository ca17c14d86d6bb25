// Attention in chunks. Many tokens: a chunk is a few (token, KV head) pairs, each of which walks its pieces of context
// in order. Few tokens with a long context: a chunk is one piece of one pair, and a second pass joins the pieces, in
// the same order, so to the same bits.
#include <algorithm>
#include <vector>

#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

constexpr int64_t kMostSplit = 1024;  // results of pieces that are kept for the second pass

// Floats of what a piece gives for the query heads of one KV head: per head the largest score, the sum, the output.
int64_t resultFloats(int headsPerKvHead, int headSize) {
  return int64_t{headsPerKvHead} * (headSize + 2);
}

class AttentionOperation final : public CpuOperation {
 public:
  AttentionOperation(const op::Attention& o, const CpuTarget& target)
      : o_(o),
        kernels_(target.kernels),
        threads_(target.threads),
        headSize_(o.tokens.headSize),
        group_(static_cast<int>(o.q.columns / o.tokens.headSize / o.tokens.kvHeads)),
        resultFloats_(resultFloats(group_, headSize_)) {}

  int passes() const override { return 2; }

  int64_t open(int pass, int64_t rows) override {
    pairs_ = rows * o_.tokens.kvHeads;
    if (pass == 1) return split_ ? pairs_ : 0;
    longest_ = 0;
    int64_t total = 0;
    for (int64_t token = 0; token < rows; ++token) {
      const int64_t pieces = piecesOf(token);
      longest_ = std::max(longest_, pieces);
      total += pieces;
    }
    split_ = longest_ > 1 && pairs_ < 4 * threads_ && pairs_ * longest_ <= kMostSplit;
    if (split_) return pairs_ * longest_;
    const double nanosPerPair =
        static_cast<double>(total) / static_cast<double>(rows) * kPiece * headSize_ * group_ / 8.0;
    const int64_t byTime = static_cast<int64_t>(30e3 / nanosPerPair);
    perChunk_ = Job::perChunk(pairs_, std::clamp<int64_t>(std::min(byTime, pairs_ / (4 * threads_)), 1, pairs_));
    return (pairs_ + perChunk_ - 1) / perChunk_;
  }

  void run(int pass, int64_t chunk, uint8_t* scratch) override {
    if (pass == 1) {
      join(chunk);
    } else if (split_) {
      const int64_t pair = chunk / longest_, piece = chunk % longest_;
      if (piece < piecesOf(pair / o_.tokens.kvHeads)) {
        attend(pair, piece, Result(pieceResult(pair, piece), *this), reinterpret_cast<float*>(scratch));
      }
    } else {
      for (int64_t pair = chunk * perChunk_; pair < std::min(pairs_, (chunk + 1) * perChunk_); ++pair) {
        whole(pair, reinterpret_cast<float*>(scratch));
      }
    }
  }

  WorkNeed work() const override { return attentionWork(group_, headSize_); }
  void useShared(uint8_t* shared) override { pieceResults_ = reinterpret_cast<float*>(shared); }

 private:
  // What a piece, or several joined, give for the query heads of one KV head.
  struct Result {
    Result(float* at, const AttentionOperation& operation)
        : largest(at), sum(at + operation.group_), out(at + 2 * operation.group_) {}
    float *largest, *sum, *out;
  };

  int64_t piecesOf(int64_t token) const { return positionOf(o_.tokens, token) / kPiece + 1; }

  float* pieceResult(int64_t pair, int64_t piece) const {
    return pieceResults_ + (pair * longest_ + piece) * resultFloats_;
  }

  void attend(int64_t pair, int64_t piece, Result result, float* scratch) const {
    const int64_t token = pair / o_.tokens.kvHeads;
    const int kvHead = static_cast<int>(pair % o_.tokens.kvHeads);
    const int64_t first = piece * kPiece;
    const int64_t count = std::min<int64_t>(kPiece, positionOf(o_.tokens, token) + 1 - first);
    const uint16_t* blocks[kPiece / kKvTokens];
    for (int64_t i = 0; i * kKvTokens < count; ++i)
      blocks[i] = kvBlock(o_.tokens, token, first / kKvTokens + i, kvHead);
    kernels_.attend({.q = o_.q.row<float>(token) + kvHead * group_ * headSize_,
                     .blocks = blocks,
                     .heads = group_,
                     .headSize = headSize_,
                     .count = static_cast<int>(count),
                     .scale = o_.scale,
                     .scratch = scratch,
                     .largest = result.largest,
                     .sum = result.sum,
                     .out = result.out});
  }

  void joinTo(Result all, Result piece) const {
    for (int h = 0; h < group_; ++h) {
      kernels_.joinPieces(all.largest + h, all.sum + h, all.out + h * headSize_, piece.largest[h], piece.sum[h],
                          piece.out + h * headSize_, headSize_);
    }
  }

  void finish(int64_t pair, Result all) const {
    const int64_t token = pair / o_.tokens.kvHeads, kvHead = pair % o_.tokens.kvHeads;
    float* out = o_.out.row<float>(token) + kvHead * group_ * headSize_;
    for (int h = 0; h < group_; ++h)
      kernels_.divide(out + h * headSize_, all.out + h * headSize_, all.sum[h], headSize_);
  }

  void whole(int64_t pair, float* scratch) const {
    const Result all(scratch + kAttentionScratch, *this), next(scratch + kAttentionScratch + resultFloats_, *this);
    attend(pair, 0, all, scratch);
    for (int64_t piece = 1; piece < piecesOf(pair / o_.tokens.kvHeads); ++piece) {
      attend(pair, piece, next, scratch);
      joinTo(all, next);
    }
    finish(pair, all);
  }

  void join(int64_t pair) const {
    const Result all(pieceResult(pair, 0), *this);
    // Never beyond what was computed, even if somebody writes the positions while they are read.
    const int64_t pieces = std::min(piecesOf(pair / o_.tokens.kvHeads), longest_);
    for (int64_t piece = 1; piece < pieces; ++piece) joinTo(all, Result(pieceResult(pair, piece), *this));
    finish(pair, all);
  }

  const op::Attention o_;
  const Kernels& kernels_;
  const int threads_;
  const int headSize_;
  const int group_;  // query heads per KV head
  const int64_t resultFloats_;
  float* pieceResults_ = nullptr;
  int64_t pairs_ = 0, longest_ = 0, perChunk_ = 0;
  bool split_ = false;
};

}  // namespace

WorkNeed attentionWork(int headsPerKvHead, int headSize) {
  const int64_t result = resultFloats(headsPerKvHead, headSize);
  return {kMostSplit * result * static_cast<int64_t>(sizeof(float)),
          (kAttentionScratch + 2 * result) * static_cast<int64_t>(sizeof(float))};
}

std::unique_ptr<CpuOperation> makeAttention(const op::Attention& operation, const CpuTarget& target) {
  return std::make_unique<AttentionOperation>(operation, target);
}

}  // namespace td
