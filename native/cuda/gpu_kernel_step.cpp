// Operations as kernels of the device: each becomes one call of a launcher (kernels/kernels.h), made for the rows of
// the run when it is put into the stream.
#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <thread>

#include "core/status.h"
#include "cpu/cpu_operation.h"
#include "cuda/gpu_device.h"
#include "cuda/gpu_step.h"
#include "cuda/kernels/kernels.h"

namespace td {
namespace {

using Clock = std::chrono::steady_clock;

// Starts the kernels of an operation for so many rows; `work` is memory of the size that it asked for.
using Launch = std::function<td_gpu_status(const GpuKernels& kernels, void* stream, int64_t rows, uint64_t work)>;

struct Compiled {
  Launch launch;
  int64_t workBytes = 0;
  std::function<void(int64_t rows)> before = {};  // what the host sees is checked before it starts
  std::function<void(int64_t rows)> after = {};   // and what it finds, when all has happened
};

// The first rows of a tensor as kernels take them; the name is for reports of the emulated device.
template <class T>
DeviceSpan<T> rowsOfTensor(const Tensor& tensor, int64_t rows, const char* name) {
  return {gpuAddress(tensor.data), rows * tensor.rowBytes / static_cast<int64_t>(sizeof(T)), name};
}
template <class T>
ReadOnlySpan<T> all(const Tensor& tensor, const char* name) {
  return {gpuAddress(tensor.data), tensor.rows * tensor.rowBytes / static_cast<int64_t>(sizeof(T)), name};
}
ReadOnlySpan<unsigned char> weights(const Tensor& tensor, const char* name) {
  return {gpuAddress(tensor.data), matrixBytes(formatOf(tensor.type), tensor.layout, tensor.rows, tensor.columns),
          name};
}

PagedTokens pagedTokens(const CachedTokens& tokens, int64_t rows) {
  return {.positions = rowsOfTensor<const int>(tokens.positions, rows, "positions"),
          .tables = rowsOfTensor<const int>(tokens.tables, rows, "tables"),
          .blocks = rowsOfTensor<const int>(tokens.blocks, tokens.blocks.rows, "blocks"),
          .tokens = rows};
}

PagedLayer pagedLayer(const CachedTokens& tokens) {
  return {.pool = rowsOfTensor<uint16_t>(tokens.pool, tokens.pool.rows, "pool"),
          .blockElements = tokens.pool.columns,
          .layerElement = tokens.layerOffset / 2,
          .kvHeads = tokens.kvHeads,
          .headSize = tokens.headSize};
}

// Where kernels read several elements at once; a GPU that meets another address is lost.
void requireAligned(const GpuDevice& device, const Tensor& tensor, uint64_t bytes, const char* what) {
  if (gpuAddress(tensor.data) % bytes == 0) return;
  fail(TD_UNSUPPORTED, "%s: %s: its address is no multiple of %d bytes, which its kernels need", device.name().c_str(),
       what, static_cast<int>(bytes));
}

void requireLayer(const GpuDevice& device, const CachedTokens& tokens) {
  requireAligned(device, tokens.pool, 4, "KV pool");
  if (tokens.pool.columns % kKvTokens == 0 && tokens.layerOffset % (2 * kKvTokens) == 0) return;
  fail(TD_UNSUPPORTED,
       "%s: KV blocks of %lld elements with a layer %lld bytes inside: its kernels need multiples of %d elements",
       device.name().c_str(), static_cast<long long>(tokens.pool.columns), static_cast<long long>(tokens.layerOffset),
       kKvTokens);
}

// One more than the highest position of a step, where the host sees them; else what the pool can hold.
int64_t mostPositions(const CachedTokens& tokens, int64_t rows) {
  if (!tokens.positions.host) return tokens.pool.rows * kKvTokens;
  int64_t most = 0;
  for (int64_t row = 0; row < rows; ++row) {
    most = std::max<int64_t>(most, *tokens.positions.row<const int32_t>(row) + int64_t{1});
  }
  return std::min(most, tokens.pool.rows * kKvTokens);
}

// Kernels follow no index out of range and make NaN of it; where the host sees the index it says so. Of a token's
// blocks it looks at the last.
void checkTokens(const CachedTokens& tokens, int64_t rows) {
  if (!tokens.positions.host || !tokens.tables.host || !tokens.blocks.host) return;
  for (int64_t row = 0; row < rows; ++row) kvBlock(tokens, row, positionOf(tokens, row) / kKvTokens, 0);
}

void checkIndices(const Tensor& indices, int64_t rows, int64_t bound, const char* what) {
  if (!indices.host) return;
  for (int64_t row = 0; row < rows; ++row) checkedIndex(indices, row, bound, what);
}

// Each operation; what a kernel cannot do is refused here, when the program is finished.
class Compiler {
 public:
  explicit Compiler(const GpuDevice& device) : device_(device) {}

  Compiled operator()(const op::Embedding& o) const {
    return {.launch =
                [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
                  return kernels.embedding(stream, {.table = weights(o.table, "table"),
                                                    .ids = rowsOfTensor<const int>(o.ids, rows, "ids"),
                                                    .out = rowsOfTensor<float>(o.out, rows, "out"),
                                                    .type = o.table.type,
                                                    .layout = o.table.layout,
                                                    .rows = o.table.rows,
                                                    .columns = o.table.columns});
                },
            .before = [o](int64_t rows) { checkIndices(o.ids, rows, o.table.rows, "embedding: token id"); }};
  }

  Compiled operator()(const op::RmsNorm& o) const {
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.rmsNorm(stream, {.x = rowsOfTensor<const float>(o.x, rows, "x"),
                                      .residual = {},
                                      .weight = all<float>(o.weight, "weight"),
                                      .sum = {},
                                      .out = rowsOfTensor<float>(o.out, rows, "out"),
                                      .rows = rows,
                                      .columns = o.x.columns,
                                      .epsilon = o.epsilon});
    }};
  }

  // The sum, and its norm.
  Compiled operator()(const op::Add& sum, const op::RmsNorm& o) const {
    return {.launch = [sum, o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.rmsNorm(stream, {.x = rowsOfTensor<const float>(sum.x, rows, "x"),
                                      .residual = rowsOfTensor<const float>(sum.y, rows, "residual"),
                                      .weight = all<float>(o.weight, "weight"),
                                      .sum = rowsOfTensor<float>(sum.out, rows, "sum"),
                                      .out = rowsOfTensor<float>(o.out, rows, "out"),
                                      .rows = rows,
                                      .columns = o.x.columns,
                                      .epsilon = o.epsilon});
    }};
  }

  // Queries and keys rotated, and keys and values stored.
  Compiled operator()(const op::Rope& q, const op::StoreKv& o) const {
    requireAligned(device_, q.angles, 8, "rope: angles");
    requireLayer(device_, o.tokens);
    return {.launch =
                [q, o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
                  return kernels.ropeStoreKv(stream, {.q = rowsOfTensor<float>(q.x, rows, "q"),
                                                      .k = rowsOfTensor<float>(o.k, rows, "k"),
                                                      .v = rowsOfTensor<const float>(o.v, rows, "v"),
                                                      .angles = rowsOfTensor<const float>(q.angles, rows, "angles"),
                                                      .tokens = pagedTokens(o.tokens, rows),
                                                      .layer = pagedLayer(o.tokens),
                                                      .heads = static_cast<int>(q.x.columns / q.headSize),
                                                      .pairs = static_cast<int>(q.angles.columns / 2),
                                                      .layout = q.layout});
                },
            .before = [o](int64_t rows) { checkTokens(o.tokens, rows); }};
  }

  Compiled operator()(const op::Encode& o) const {
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.encode(stream, {.x = rowsOfTensor<const float>(o.x, rows, "x"),
                                     .out = rowsOfTensor<unsigned char>(o.out, rows, "out"),
                                     .rows = rows,
                                     .columns = o.x.columns,
                                     .type = o.out.type});
    }};
  }

  Compiled operator()(const op::MatMul& o) const {
    if (o.weight.layout != TD_TILES) {
      fail(TD_UNSUPPORTED, "%s: matmul needs its weights in tiles, and not as they lie in the file",
           device_.name().c_str());
    }
    requireAligned(device_, o.weight, 16, "matmul: weight");
    requireAligned(device_, o.x, o.x.type == TD_ACT8 ? 16 : 4, "matmul: x");
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.matMul(stream, {.weights = weights(o.weight, "weights"),
                                     .x = rowsOfTensor<const unsigned char>(o.x, rows, "x"),
                                     .bias = o.bias ? all<float>(*o.bias, "bias") : ReadOnlySpan<float>{},
                                     .y = rowsOfTensor<float>(o.out, rows, "out"),
                                     .type = o.weight.type,
                                     .rows = o.weight.rows,
                                     .columns = o.weight.columns,
                                     .tokens = rows,
                                     .xRowBytes = o.x.rowBytes,
                                     .yStride = o.out.columns});
    }};
  }

  Compiled operator()(const op::RopeAngles& o) const {
    requireAligned(device_, o.out, 8, "rope_angles: out");
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.ropeAngles(stream, {.positions = rowsOfTensor<const int>(o.positions, rows, "positions"),
                                         .frequencies = all<double>(o.frequencies, "frequencies"),
                                         .angles = rowsOfTensor<float>(o.out, rows, "angles"),
                                         .tokens = rows});
    }};
  }

  Compiled operator()(const op::Rope& o) const {
    requireAligned(device_, o.angles, 8, "rope: angles");
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.rope(stream, {.x = rowsOfTensor<float>(o.x, rows, "x"),
                                   .angles = rowsOfTensor<const float>(o.angles, rows, "angles"),
                                   .tokens = rows,
                                   .heads = static_cast<int>(o.x.columns / o.headSize),
                                   .headSize = o.headSize,
                                   .pairs = static_cast<int>(o.angles.columns / 2),
                                   .layout = o.layout});
    }};
  }

  Compiled operator()(const op::StoreKv& o) const {
    requireLayer(device_, o.tokens);
    return {.launch =
                [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
                  return kernels.storeKv(stream, {.k = rowsOfTensor<const float>(o.k, rows, "k"),
                                                  .v = rowsOfTensor<const float>(o.v, rows, "v"),
                                                  .tokens = pagedTokens(o.tokens, rows),
                                                  .layer = pagedLayer(o.tokens)});
                },
            .before = [o](int64_t rows) { checkTokens(o.tokens, rows); }};
  }

  Compiled operator()(const op::Attention& o) const {
    requireLayer(device_, o.tokens);
    if (o.tokens.headSize % 4 != 0 || o.tokens.headSize > 256) {
      fail(TD_UNSUPPORTED, "%s: attention with heads of %d elements; its kernels take multiples of 4 up to 256",
           device_.name().c_str(), o.tokens.headSize);
    }
    requireAligned(device_, o.out, 8, "attention: out");
    const int heads = static_cast<int>(o.q.columns / o.tokens.headSize);
    const int64_t workBytes = device_.workBytesOfAttention(heads, o.tokens.kvHeads, o.tokens.headSize);
    return {.launch =
                [o, heads, workBytes](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t work) {
                  return kernels.attention(stream, {.q = rowsOfTensor<const float>(o.q, rows, "q"),
                                                    .out = rowsOfTensor<float>(o.out, rows, "out"),
                                                    .tokens = pagedTokens(o.tokens, rows),
                                                    .layer = pagedLayer(o.tokens),
                                                    .heads = heads,
                                                    .mostPositions = mostPositions(o.tokens, rows),
                                                    .scale = o.scale,
                                                    .work = {work, workBytes / 4, "work"}});
                },
            .workBytes = workBytes,
            .before = [o](int64_t rows) { checkTokens(o.tokens, rows); }};
  }

  Compiled operator()(const op::Gated& o) const {
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.siluTimes(stream, {.x = rowsOfTensor<const float>(o.x, rows, "x"),
                                        .y = rowsOfTensor<const float>(o.y, rows, "y"),
                                        .out = rowsOfTensor<float>(o.out, rows, "out")});
    }};
  }

  Compiled operator()(const op::Add& o) const {
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.add(stream, {.x = rowsOfTensor<const float>(o.x, rows, "x"),
                                  .y = rowsOfTensor<const float>(o.y, rows, "y"),
                                  .out = rowsOfTensor<float>(o.out, rows, "out")});
    }};
  }

  Compiled operator()(const op::Gather& o) const {
    return {.launch =
                [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
                  return kernels.gatherRows(stream, {.x = rowsOfTensor<const float>(o.x, o.x.rows, "x"),
                                                     .indices = rowsOfTensor<const int>(o.rows, rows, "rows"),
                                                     .out = rowsOfTensor<float>(o.out, rows, "out"),
                                                     .columns = o.x.columns});
                },
            .before = [o](int64_t rows) { checkIndices(o.rows, rows, o.x.rows, "gather: row"); }};
  }

  // Within the host's memory; all others are copied by the stream.
  Compiled operator()(const op::Copy& o) const {
    return {.launch = [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
      return kernels.copyBytes(stream, {.x = rowsOfTensor<const unsigned char>(o.x, rows, "x"),
                                        .out = rowsOfTensor<unsigned char>(o.out, rows, "out")});
    }};
  }

  Compiled operator()(const op::Adjust& o) const {
    return {.launch =
                [o](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t) {
                  if (o.counts.host && !anyAdjustment(o, rows)) return TD_GPU_OK;
                  return kernels.adjust(stream, {.logits = rowsOfTensor<float>(o.logits, rows, "logits"),
                                                 .counts = rowsOfTensor<const int>(o.counts, rows, "counts"),
                                                 .ids = rowsOfTensor<const int>(o.ids, rows, "ids"),
                                                 .factors = rowsOfTensor<const float>(o.factors, rows, "factors"),
                                                 .addends = rowsOfTensor<const float>(o.addends, rows, "addends"),
                                                 .rows = rows,
                                                 .vocabulary = o.logits.columns,
                                                 .places = o.ids.columns});
                },
            .before =
                [o](int64_t rows) {
                  if (o.counts.host && o.ids.host && o.factors.host && o.addends.host) checkAdjustments(o, rows);
                }};
  }

  Compiled operator()(const op::Select& o) const {
    if (!o.logSums.host) {
      fail(TD_UNSUPPORTED, "%s: select's log_sums must lie in memory that the host shares", device_.name().c_str());
    }
    const int64_t mostRows = std::min({o.logits.rows, o.ids.rows, o.values.rows, o.logSums.rows});
    const int64_t workBytes = device_.workBytesOfSelect(mostRows, o.logits.columns);
    return {.launch =
                [o, workBytes](const GpuKernels& kernels, void* stream, int64_t rows, uint64_t work) {
                  return kernels.select(stream, {.logits = rowsOfTensor<const float>(o.logits, rows, "logits"),
                                                 .ids = rowsOfTensor<int>(o.ids, rows, "ids"),
                                                 .values = rowsOfTensor<float>(o.values, rows, "values"),
                                                 .logSums = rowsOfTensor<float>(o.logSums, rows, "log_sums"),
                                                 .work = {work, workBytes, "work"},
                                                 .rows = rows,
                                                 .vocabulary = o.logits.columns,
                                                 .candidates = o.ids.columns});
                },
            .workBytes = workBytes,
            .after =
                [o](int64_t rows) {
                  for (int64_t row = 0; row < rows; ++row) {
                    if (!std::isnan(*o.logSums.row<const float>(row))) continue;
                    fail(TD_NOT_FINITE,
                         "the logits of output row %lld are not finite (NaN or infinity): the model's weights or its "
                         "file are damaged",
                         static_cast<long long>(row));
                  }
                }};
  }

  template <class Other>
  Compiled operator()(const Other&) const {
    fail(TD_INTERNAL, "%s: an operation has no kernel", device_.name().c_str());
  }

 private:
  static bool anyAdjustment(const op::Adjust& o, int64_t rows) {
    for (int64_t row = 0; row < rows; ++row) {
      if (*o.counts.row<const int32_t>(row) != 0) return true;
    }
    return false;
  }

  const GpuDevice& device_;
};

class KernelStep final : public GpuStep {
 public:
  KernelStep(const GpuStepPlace& place, Compiled compiled, const ProgramEntry& entry)
      : place_(place),
        compiled_(std::move(compiled)),
        extent_(entry.extent),
        mostRows_(entry.mostRows),
        minimum_(entry.minimumNanos) {}

  void enqueue() override {
    rows_ = 0;  // until all of it is in the stream
    const int64_t rows = rowsOf(extent_, mostRows_);
    if (rows == 0) return;
    if (compiled_.before) compiled_.before(rows);
    if (minimum_.count() > 0) place_.stream.call([](void* self) { static_cast<KernelStep*>(self)->begin(); }, this);
    const Gpu& gpu = *place_.device.gpu();
    void* stream = nullptr;
    gpu.check(gpu.table().kernel_stream(place_.stream.handle(), &stream));
    gpu.check(compiled_.launch(place_.device.gpuKernels(), stream, rows, work_));
    if (minimum_.count() > 0) place_.stream.call([](void* self) { static_cast<KernelStep*>(self)->end(); }, this);
    rows_ = rows;
  }

  int64_t workBytes() const override { return compiled_.workBytes; }
  void useWork(uint64_t address) override { work_ = address; }
  void check() override {
    if (compiled_.after) compiled_.after(rows_);
  }

 private:
  // On a thread of the stream's, before and after what is to last a while.
  void begin() { started_ = Clock::now(); }
  void end() {
    for (auto left = started_ + minimum_ - Clock::now(); left > left.zero() && place_.state.goesOn();
         left = started_ + minimum_ - Clock::now()) {
      std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(2)));
    }
  }

  const GpuStepPlace place_;
  const Compiled compiled_;
  const int32_t* extent_;
  int64_t mostRows_;
  const std::chrono::nanoseconds minimum_;
  Clock::time_point started_;
  uint64_t work_ = 0;
  int64_t rows_ = 0;  // of this run
};

// Whether entries are of the same rows, one after another in one stream, so that they can be one kernel.
bool together(std::span<const ProgramEntry> entries) {
  for (const ProgramEntry& entry : entries) {
    if (entry.stream != entries[0].stream || entry.extent != entries[0].extent || entry.minimumNanos != 0 ||
        entry.mostRows != entries[0].mostRows) {
      return false;
    }
  }
  return true;
}

bool isNormOfSum(std::span<const ProgramEntry> entries) {
  if (entries.size() < 2 || !together(entries.first(2))) return false;
  const auto* sum = std::get_if<op::Add>(&entries[0].operation);
  const auto* norm = std::get_if<op::RmsNorm>(&entries[1].operation);
  return sum != nullptr && norm != nullptr && norm->x.data == sum->out.data && norm->out.data != sum->out.data;
}

bool isRopeAndStore(std::span<const ProgramEntry> entries) {
  if (entries.size() < 3 || !together(entries.first(3))) return false;
  const auto* q = std::get_if<op::Rope>(&entries[0].operation);
  const auto* k = std::get_if<op::Rope>(&entries[1].operation);
  const auto* store = std::get_if<op::StoreKv>(&entries[2].operation);
  if (q == nullptr || k == nullptr || store == nullptr) return false;
  return k->x.data == store->k.data && k->angles.data == q->angles.data && k->angles.columns == q->angles.columns &&
         k->headSize == q->headSize && k->layout == q->layout && store->tokens.headSize == q->headSize;
}

}  // namespace

int addKernelStep(const GpuStepPlace& place, std::span<const ProgramEntry> entries,
                  std::vector<std::unique_ptr<GpuStep>>& steps) {
  const Compiler compiler(place.device);
  const auto add = [&](Compiled compiled) {
    steps.push_back(std::make_unique<KernelStep>(place, std::move(compiled), entries[0]));
  };
  if (isNormOfSum(entries)) {
    add(compiler(std::get<op::Add>(entries[0].operation), std::get<op::RmsNorm>(entries[1].operation)));
    return 2;
  }
  if (isRopeAndStore(entries)) {
    add(compiler(std::get<op::Rope>(entries[0].operation), std::get<op::StoreKv>(entries[2].operation)));
    return 3;
  }
  add(std::visit(compiler, entries[0].operation));
  return 1;
}

}  // namespace td
