// The CPU's kernels, as a table per instruction set. Each function computes a piece of an operation on the calling
// thread; cutting an operation into pieces is the business of cpu_operations.*, and never changes a result.
#pragma once

#include <cstdint>

#include "core/activation.h"
#include "tandem.h"

namespace td {

// Row groups of a tiled weight matrix times encoded tokens: y[token][row] = sum over the columns, in the order of the
// blocks.
struct MatMulPiece {
  const uint8_t* tiles;  // of the first row group
  int64_t groups;        // how many to compute
  int64_t blocks;        // tiles per group
  int64_t columns;
  const uint8_t* x;  // encoded activations of the first token
  int64_t xRowBytes;
  int64_t tokens;
  float* y;           // of the first token and row
  int64_t yStride;    // floats from token to token
  int64_t rows;       // rows in these groups; the last group may be padded
  const float* bias;  // of the first row, or null
  uint8_t* work;      // matmulWorkBytes() of memory, best aligned to 64; null: weights are never unpacked
};

// What a piece of context, or several joined, give for some query rows.
struct AttentionResult {
  float* largest;  // [rows]: the largest score
  float* sum;      // [rows]: sum of exp(score - largest)
  float* out;      // [rows][headSize]: sum of exp(score - largest) * v
};

// One KV head's share of one piece of context for some query rows: the query heads of this KV head, of one token or of
// several that follow one another in a sequence.
struct AttentionPiece {
  const float* q;  // as scaleQueries() lays it out
  int64_t qPanel;
  const uint16_t* const* blocks;  // per 16 positions: this KV head's K, its V behind it (core/kv_layout.h)
  // Blocks that are read next, as many, to be fetched meanwhile: any addresses will do, but they are never read.
  const uint16_t* const* nextBlocks;
  int rows;           // 1 to kAttentionRows
  const int* counts;  // [rows]: positions, 1 to TD_ATTENTION_PIECE, never fewer than the row before
  int headSize;
  float* scratch;  // kAttentionScratch floats
  AttentionResult result;
};

constexpr int kAttentionRows = 12;  // query rows that share the reading of K and V
// Queries and scores lie in rows of this distance, so that a kernel finds all rows beside one pointer; a little more
// than a power of two, so that they do not compete for the same places of a cache.
constexpr int kAttentionPanel = 256;
constexpr int kAttentionStride = kAttentionPanel + 16;
constexpr int kAttentionScratch = kAttentionRows * kAttentionStride;
static_assert(kAttentionPanel == TD_ATTENTION_PIECE);

// Statistics of a run of logits, for Select.
struct LogitRun {
  float largest;
  float sum;    // of exp(logit - largest)
  bool finite;  // no NaN and no infinity among them
};

constexpr int kSelectGroup = 64;  // logits per group: only the largest of each is kept
constexpr int kSelectRun = 4096;  // logits per run: the unit of work, and of the order of summation

// Which logits of a row can be drawn: those from `first` to `last` in the order of Select, both included.
struct KeptRange {
  float firstLogit;
  int32_t firstId;
  float lastLogit;
  int32_t lastId;
};

struct Kernels {
  td_isa isa;
  int32_t (*activationType)(int32_t weightType);
  // Null if there is none for a type.
  void (*(*matmul)(int32_t weightType))(const MatMulPiece&);
  int64_t (*matmulWorkBytes)(int32_t weightType, int64_t columns);
  void (*encode8)(const float* x, int64_t columns, Act8Block* out);
  void (*encodeBf16)(const float* x, int64_t columns, uint16_t* out);
  void (*rmsNorm)(const float* x, const float* weight, int64_t columns, float epsilon, float* out);
  // Rotates `heads` heads by one token's angles: `pairs` pairs of (cos, sin).
  void (*rope)(float* x, int64_t heads, int64_t headSize, const float* angles, int64_t pairs, td_rope_layout layout);
  // Writes one token's K and V of one KV head at `slot` of a block.
  void (*storeKv)(const float* k, const float* v, int headSize, int slot, uint16_t* block);
  // q: [rows][headSize], times `scale`. out: panels of kAttentionPanel dimensions, `qPanel` floats apart, each
  // [rows][kAttentionStride].
  void (*scaleQueries)(const float* q, int64_t rows, int headSize, float scale, float* out, int64_t qPanel);
  void (*attend)(const AttentionPiece&);
  // Joins a piece's result to that of the pieces before it.
  void (*joinPieces)(AttentionResult all, AttentionResult piece, int rows, int headSize);
  void (*divide)(float* out, const float* x, float divisor, int64_t count);
  void (*silu)(const float* x, const float* y, float* out, int64_t count);
  void (*add)(const float* x, const float* y, float* out, int64_t count);
  // The largest logit of each group of kSelectGroup, and the run's statistics.
  LogitRun (*scanLogits)(const float* logits, int64_t count, float* groupLargest);
  // out[i] = e^((logits[i] - base) * factor), in double.
  void (*exponentials)(const float* logits, int64_t count, float base, double factor, double* out);
  // Weights of a run of at most kSelectRun logits whose first has id `firstId`: the same, but 0 for those that are not
  // kept. Returns their sum.
  double (*weigh)(const float* logits, int32_t firstId, int64_t count, const KeptRange& kept, double factor,
                  double* out);
};

// Tables of the instruction sets that this build has; kernelsFor() checks that this machine has it too. Fails with
// TD_UNSUPPORTED.
const Kernels& kernelsFor(td_isa isa);

// The best instruction set of this machine, or the one that `name` names ("scalar", "avx2", "avx512", "amx"; "" = the
// best, which AMX is not as long as nobody has measured it).
td_isa chooseIsa(const char* name);
const char* isaName(td_isa isa);

}  // namespace td
