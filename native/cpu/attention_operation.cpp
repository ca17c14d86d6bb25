// Attention in chunks. The work is cut into units: a few tokens that follow one another in a sequence, and one KV head;
// their query rows share every vector of K and V that is read. Usually a chunk is a few units, each of which walks its
// pieces of context in order. Where that would leave workers without work (few tokens, one of them with a long
// context), a chunk is a few pieces of units, and a second pass joins the pieces, in the same order, so to the same
// bits. Of a context that is longer than there is room for results of pieces, one window after another is computed and
// joined, and what has been joined is carried on into the next.
#include <algorithm>
#include <vector>

#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_operation.h"

namespace td {
namespace {

constexpr int64_t kResults = 1024;  // results of pieces, each of one token and KV head, kept for the second pass
constexpr int kUnitRows = 96;       // query rows of a unit of several tokens: K and V of a piece are read once for them
constexpr double kChunkNanos = 50e3;

// Floats of a result for some query rows.
int64_t resultFloats(int64_t rows, int headSize) {
  return rows * (headSize + 2);
}

// Query rows of a unit at most.
int unitRows(int headsPerKvHead) {
  return std::max(kUnitRows, headsPerKvHead);
}

// Tokens of a unit at most.
int unitTokens(int headsPerKvHead) {
  return std::max(1, kUnitRows / headsPerKvHead);
}

// Floats of the queries of a unit, as the kernels want them.
int64_t queryFloats(int headsPerKvHead, int headSize) {
  return int64_t{unitRows(headsPerKvHead)} * ((headSize + kAttentionPanel - 1) / kAttentionPanel) * kAttentionStride;
}

class AttentionOperation final : public CpuOperation {
 public:
  AttentionOperation(const op::Attention& o, const CpuTarget& target)
      : o_(o),
        kernels_(target.kernels),
        threads_(target.threads),
        headSize_(o.tokens.headSize),
        kvHeads_(o.tokens.kvHeads),
        group_(static_cast<int>(o.q.columns / o.tokens.headSize / o.tokens.kvHeads)) {
    units_.reserve(static_cast<size_t>(o.q.rows));
  }

  int passes() const override { return passes_; }

  // Whole units in one pass, or two passes for each window of pieces.
  int64_t open(int pass, int64_t rows) override {
    if (pass % 2 == 1) return openJoining(pass);
    if (pass > 0) return openWindow();
    findUnits(rows);
    double total = 0, longest = 0;
    for (const Unit& unit : units_) {
      total += nanosOf(unit);
      longest = std::max(longest, nanosOf(unit));
    }
    split_ = longest * 4 * threads_ > total * kvHeads_;
    const Unit& last = units_.back();
    const int64_t items =
        split_ ? last.firstItem + last.pieces * kvHeads_ : static_cast<int64_t>(units_.size()) * kvHeads_;
    wanted_ = kChunkNanos * static_cast<double>(items) / (total * kvHeads_);
    passes_ = split_ ? 2 : 1;
    window_ = {};
    return split_ ? openWindow() : chunksOf(items, wanted_);
  }

  void run(int pass, int64_t chunk, uint8_t* scratch) override {
    const int64_t first = chunk * perChunk_, end = std::min(items_, first + perChunk_);
    if (pass % 2 == 1) {
      for (int64_t item = first; item < end; ++item) join(window_.firstPair + item);
      return;
    }
    const Scratch own(reinterpret_cast<float*>(scratch), *this);
    Blocks blocks[2];
    take(stretchAt(first), blocks[0]);
    int now = 0;
    for (int64_t item = first; item < end; ++item) {
      // Behind its last item a worker most likely goes on with the chunk after those that the others take meanwhile.
      const int64_t after = item + 1 < end ? item + 1 : first + perChunk_ * threads_;
      Stretch stretch = stretchAt(item);
      takeQueries(stretch, own);
      for (; stretch.piece < stretch.end; ++stretch.piece, now ^= 1) {
        if (stretch.piece + 1 < stretch.end) {
          take({stretch.unit, stretch.kvHead, stretch.piece + 1, stretch.end}, blocks[now ^ 1]);
        } else {
          take(after < items_ ? stretchAt(after) : stretch, blocks[now ^ 1]);
        }
        attend(stretch, blocks[now].of, blocks[now ^ 1].of, own);
      }
      if (!split_) finish(*stretch.unit, stretch.kvHead, resultAt(own.all, stretch.unit->tokens * group_));
    }
  }

  WorkNeed work() const override { return attentionWork(group_, headSize_); }
  void useShared(uint8_t* shared) override { pieceResults_ = reinterpret_cast<float*>(shared); }

 private:
  // Tokens of one sequence, at positions that follow one another.
  struct Unit {
    int64_t token, tokens;  // rows of the step
    int64_t position;       // of the first
    int64_t pieces;         // of the last
    int64_t firstItem;      // pieces of the units before this one, of all KV heads
    int64_t firstResult;    // the same times their tokens
  };

  // Pieces [first, end) of all units and KV heads, as many as there is room for. KV head by KV head: so at most one
  // (unit, KV head) pair goes on from the window before, and one into the window behind.
  struct Window {
    int64_t first = 0, end = 0;
    int64_t firstPair = 0, firstResult = 0;
    int number = 0;
  };

  // What an item computes: some pieces of the context of a unit, for one KV head.
  struct Stretch {
    const Unit* unit;
    int kvHead;
    int64_t piece, end;
  };

  // K and V of a piece of context.
  struct Blocks {
    const uint16_t* of[kPiece / kKvTokens];
  };

  // A worker's own memory.
  struct Scratch {
    Scratch(float* at, const AttentionOperation& operation)
        : kernel(at),
          q(kernel + kAttentionScratch),
          all(q + queryFloats(operation.group_, operation.headSize_)),
          piece(all + resultFloats(unitRows(operation.group_), operation.headSize_)) {}
    float *kernel, *q, *all, *piece;
  };

  // A result of some rows in one stretch of memory.
  AttentionResult resultAt(float* at, int64_t rows) const { return {at, at + rows, at + 2 * rows}; }
  AttentionResult from(AttentionResult result, int row) const {
    return {result.largest + row, result.sum + row, result.out + row * headSize_};
  }

  void findUnits(int64_t rows) {
    // As many tokens as share a tile of the kernel, or as many more as leave every worker some units.
    const int64_t most =
        std::clamp<int64_t>(rows * kvHeads_ / (8 * threads_), std::max(1, kAttentionRows / group_), unitTokens(group_));
    units_.clear();
    for (int64_t token = 0; token < rows; ++token) {
      const int64_t position = positionOf(o_.tokens, token);
      const bool goesOn = !units_.empty() && units_.back().tokens < most &&
                          position == units_.back().position + units_.back().tokens &&
                          tableOf(token) == tableOf(units_.back().token);
      if (goesOn) {
        ++units_.back().tokens;
      } else {
        units_.push_back(
            {.token = token, .tokens = 1, .position = position, .pieces = 0, .firstItem = 0, .firstResult = 0});
      }
    }
    for (Unit& unit : units_) unit.pieces = (unit.position + unit.tokens - 1) / kPiece + 1;
    // Those that have most to do first, so that what is done last is short.
    std::sort(units_.begin(), units_.end(), [&](const Unit& a, const Unit& b) { return nanosOf(a) > nanosOf(b); });
    int64_t items = 0, results = 0;
    for (Unit& unit : units_) {
      unit.firstItem = items;
      unit.firstResult = results;
      items += unit.pieces * kvHeads_;
      results += unit.pieces * kvHeads_ * unit.tokens;
    }
  }

  // The window behind the present one.
  int64_t openWindow() {
    window_.first = window_.end;
    window_.firstPair = pairOf(window_.first);
    window_.firstResult = resultsBefore(unitOf(window_.first), window_.first);
    ++window_.number;
    int64_t room = kResults - 2 * unitTokens(group_);  // beside what is carried on
    for (const Unit* unit = &unitOf(window_.first); unit != units_.data() + units_.size(); ++unit) {
      const int64_t left = unit->firstItem + unit->pieces * kvHeads_ - window_.end;
      const int64_t taken = std::min(left, room / unit->tokens);
      window_.end += taken;
      room -= taken * unit->tokens;
      if (taken < left) break;
    }
    return chunksOf(window_.end - window_.first, wanted_);
  }

  int64_t openJoining(int pass) {
    const Unit& last = units_.back();
    if (window_.end < last.firstItem + last.pieces * kvHeads_) passes_ = pass + 3;
    return chunksOf(pairOf(window_.end - 1) - window_.firstPair + 1, 1);
  }

  // The unit of a piece, and its (unit, KV head) pair.
  const Unit& unitOf(int64_t item) const {
    const auto behind = std::upper_bound(units_.begin(), units_.end(), item,
                                         [](int64_t at, const Unit& unit) { return at < unit.firstItem; });
    return *(behind - 1);
  }
  int64_t pairOf(int64_t item) const {
    const Unit& unit = unitOf(item);
    return (&unit - units_.data()) * kvHeads_ + (item - unit.firstItem) / unit.pieces;
  }

  int32_t tableOf(int64_t token) const { return *o_.tokens.tables.row<int32_t>(token); }

  // About what one KV head of a unit takes: the reading of its context, or the arithmetic.
  double nanosOf(const Unit& unit) const {
    return static_cast<double>(unit.pieces) * headSize_ * (50.0 + 7.0 * static_cast<double>(unit.tokens * group_));
  }

  // Sets how many items make a chunk: what is wanted, but so that every worker has some chunks.
  int64_t chunksOf(int64_t items, double wanted) {
    items_ = items;
    const auto atMost = static_cast<double>(std::max<int64_t>(1, items / (8 * threads_)));
    perChunk_ = Job::perChunk(items, static_cast<int64_t>(std::clamp(wanted, 1.0, atMost)));
    return (items + perChunk_ - 1) / perChunk_;
  }

  // Results in front of an item's, in the order of all.
  static int64_t resultsBefore(const Unit& unit, int64_t item) {
    return unit.firstResult + (item - unit.firstItem) * unit.tokens;
  }

  // Where the result of a piece of the window lies for the second pass.
  AttentionResult pieceResult(const Unit& unit, int64_t item) const {
    const int64_t before = resultsBefore(unit, item) - window_.firstResult;
    return resultAt(pieceResults_ + resultFloats(before * group_, headSize_), unit.tokens * group_);
  }

  // What a window hands on to the next: behind the pieces' results, two in turns, since one is read while the other is
  // written.
  AttentionResult carried(const Unit& unit, int window) const {
    const int64_t before = kResults - (1 + window % 2) * unitTokens(group_);
    return resultAt(pieceResults_ + resultFloats(before * group_, headSize_), unit.tokens * group_);
  }

  int headOf(int64_t item) const { return static_cast<int>(item % kvHeads_); }

  Stretch stretchAt(int64_t item) const {
    if (split_) {
      const Unit& unit = unitOf(window_.first + item);
      const int64_t in = window_.first + item - unit.firstItem, piece = in % unit.pieces;
      return {&unit, static_cast<int>(in / unit.pieces), piece, piece + 1};
    }
    const Unit& unit = units_[static_cast<size_t>(item / kvHeads_)];
    return {&unit, headOf(item), 0, unit.pieces};
  }

  // Positions of a stretch's first piece.
  static int64_t positionsOf(const Stretch& stretch) {
    return std::min<int64_t>(kPiece, stretch.unit->position + stretch.unit->tokens - stretch.piece * kPiece);
  }

  // The blocks of a stretch's first piece, the last one again in the places behind it.
  void take(const Stretch& stretch, Blocks& blocks) const {
    const int64_t first = stretch.piece * (kPiece / kKvTokens);
    const int64_t count = (positionsOf(stretch) + kKvTokens - 1) / kKvTokens;
    for (int64_t i = 0; i < count; ++i)
      blocks.of[i] = kvBlock(o_.tokens, stretch.unit->token, first + i, stretch.kvHead);
    for (int64_t i = count; i < kPiece / kKvTokens; ++i) blocks.of[i] = blocks.of[count - 1];
  }

  // The queries of a stretch, laid out for the kernels.
  void takeQueries(const Stretch& stretch, const Scratch& own) const {
    for (int64_t i = 0; i < stretch.unit->tokens; ++i) {
      const float* q = o_.q.row<float>(stretch.unit->token + i) + int64_t{stretch.kvHead} * group_ * headSize_;
      kernels_.scaleQueries(q, group_, headSize_, o_.scale, own.q + i * group_ * kAttentionStride, qPanel());
    }
  }
  int64_t qPanel() const { return int64_t{unitRows(group_)} * kAttentionStride; }

  // A stretch's first piece: for the second pass, or joined to the pieces before it.
  void attend(const Stretch& stretch, const uint16_t* const* blocks, const uint16_t* const* nextBlocks,
              const Scratch& own) const {
    const Unit& unit = *stretch.unit;
    const auto rows = static_cast<int>(unit.tokens * group_);
    const AttentionResult all = split_
                                    ? pieceResult(unit, unit.firstItem + stretch.kvHead * unit.pieces + stretch.piece)
                                    : resultAt(own.all, unit.tokens * group_);
    const bool joins = !split_ && stretch.piece > 0;
    int end;
    for (int row = firstRow(unit, stretch.piece); row < rows; row = end) {
      end = std::min(rows, row + kAttentionRows);
      int counts[kAttentionRows];
      for (int i = row; i < end; ++i) {
        const int64_t positions = unit.position + i / group_ + 1 - stretch.piece * kPiece;
        counts[i - row] = static_cast<int>(std::min<int64_t>(kPiece, positions));
      }
      const AttentionResult result = joins ? resultAt(own.piece, end - row) : from(all, row);
      kernels_.attend({.q = own.q + row * kAttentionStride,
                       .qPanel = qPanel(),
                       .blocks = blocks,
                       .nextBlocks = nextBlocks,
                       .rows = end - row,
                       .counts = counts,
                       .headSize = headSize_,
                       .scratch = own.kernel,
                       .result = result});
      if (joins) kernels_.joinPieces(from(all, row), result, end - row, headSize_);
    }
  }

  // The first query row of a unit that reaches a piece of context.
  int firstRow(const Unit& unit, int64_t piece) const {
    return static_cast<int>(std::max<int64_t>(0, piece * kPiece - unit.position)) * group_;
  }

  // The pieces of a (unit, KV head) pair that lie in the window, to those of the windows before.
  void join(int64_t pair) const {
    const Unit& unit = units_[static_cast<size_t>(pair / kvHeads_)];
    const int64_t begin = unit.firstItem + headOf(pair) * unit.pieces, end = begin + unit.pieces;
    const bool goesOn = begin < window_.first;
    const AttentionResult all = goesOn ? carried(unit, window_.number - 1) : pieceResult(unit, begin);
    for (int64_t item = goesOn ? window_.first : begin + 1; item < std::min(end, window_.end); ++item) {
      const int row = firstRow(unit, item - begin);
      kernels_.joinPieces(from(all, row), from(pieceResult(unit, item), row),
                          static_cast<int>(unit.tokens) * group_ - row, headSize_);
    }
    if (end <= window_.end) return finish(unit, headOf(pair), all);
    std::copy_n(all.largest, resultFloats(unit.tokens * group_, headSize_), carried(unit, window_.number).largest);
  }

  void finish(const Unit& unit, int kvHead, AttentionResult all) const {
    for (int64_t row = 0; row < unit.tokens * group_; ++row) {
      float* out = o_.out.row<float>(unit.token + row / group_) + (int64_t{kvHead} * group_ + row % group_) * headSize_;
      kernels_.divide(out, all.out + row * headSize_, all.sum[row], headSize_);
    }
  }

  const op::Attention o_;
  const Kernels& kernels_;
  const int threads_;
  const int headSize_;
  const int kvHeads_;
  const int group_;  // query heads per KV head
  std::vector<Unit> units_;
  float* pieceResults_ = nullptr;
  int64_t items_ = 0, perChunk_ = 1;
  bool split_ = false;
  double wanted_ = 1;  // items per chunk
  Window window_;
  int passes_ = 1;
};

}  // namespace

WorkNeed attentionWork(int headsPerKvHead, int headSize) {
  const int64_t own = kAttentionScratch + queryFloats(headsPerKvHead, headSize) +
                      resultFloats(unitRows(headsPerKvHead) + kAttentionRows, headSize);
  return {kResults * resultFloats(headsPerKvHead, headSize) * static_cast<int64_t>(sizeof(float)),
          own * static_cast<int64_t>(sizeof(float))};
}

std::unique_ptr<CpuOperation> makeAttention(const op::Attention& operation, const CpuTarget& target) {
  return std::make_unique<AttentionOperation>(operation, target);
}

}  // namespace td
