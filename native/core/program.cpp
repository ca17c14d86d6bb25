#include "core/program.h"

#include <algorithm>
#include <limits>

#include "core/activation.h"

namespace td {
namespace {

// Bytes that an address must be a multiple of. Quantised blocks hold halves; all that is wider in them is read byte by
// byte.
size_t alignmentOf(int32_t type) {
  switch (type) {
    case TD_F64:
      return 8;
    case TD_F32:
    case TD_I32:
    case TD_ACT8:
    case TD_ACTBF16:
      return 4;
    default:
      return 2;
  }
}

void requireColumns(const Tensor& tensor, int64_t columns, const char* what) {
  if (tensor.columns != columns) {
    fail(TD_INVALID_ARGUMENT, "%s: has %lld columns, needs %lld", what, static_cast<long long>(tensor.columns),
         static_cast<long long>(columns));
  }
}

void requireOneRow(const Tensor& tensor, int64_t columns, const char* what) {
  requireColumns(tensor, columns, what);
  if (tensor.rows != 1)
    fail(TD_INVALID_ARGUMENT, "%s: has %lld rows, needs 1", what, static_cast<long long>(tensor.rows));
}

void requireWritable(const Tensor& tensor, const char* what) {
  if (!tensor.writable) fail(TD_INVALID_ARGUMENT, "%s: lies in a file and cannot be written", what);
}

void requireHost(const Tensor& tensor, const char* what) {
  if (!tensor.host) {
    fail(TD_INVALID_ARGUMENT, "%s: lies in the device's own memory; needs what host and device share", what);
  }
}

void requireSameShape(const Tensor& a, const Tensor& b, const char* what) {
  if (a.rows != b.rows || a.columns != b.columns) {
    fail(TD_INVALID_ARGUMENT, "%s: shapes [%lld, %lld] and [%lld, %lld] differ", what, static_cast<long long>(a.rows),
         static_cast<long long>(a.columns), static_cast<long long>(b.rows), static_cast<long long>(b.columns));
  }
}

}  // namespace

int64_t rowsOf(const int32_t* extent, int64_t mostRows) {
  const int32_t rows = *extent;
  if (rows < 0 || rows > mostRows) {
    fail(TD_INVALID_ARGUMENT, "an operation's extent is %d; its tensors hold up to %lld rows", rows,
         static_cast<long long>(mostRows));
  }
  return rows;
}

void Program::requireOpen() const {
  if (executable_) fail(TD_INVALID_ARGUMENT, "the program is finished; write a new one");
}

int32_t Program::tensor(const Device& owner, std::shared_ptr<Buffer> buffer, int64_t offset, int32_t type,
                        int32_t layout, int64_t rows, int64_t columns) {
  requireOpen();
  // A GPU that follows an address of somebody else's memory is lost, and a CPU ends the process.
  if (&owner != device_.get()) {
    fail(TD_INVALID_ARGUMENT,
         "tensor: a program for %s cannot reach a buffer of %s: make one with the program's device",
         device_->name().c_str(), owner.name().c_str());
  }
  checkShape(rows, columns, "tensor");
  if (layout != TD_PLAIN && layout != TD_TILES) fail(TD_INVALID_ARGUMENT, "tensor: layout %d does not exist", layout);
  Tensor tensor;
  int64_t bytes = 0;
  if (const Format* format = findFormat(type)) {
    if (type != TD_BF16 && columns % format->blockElements != 0) {
      fail(TD_INVALID_ARGUMENT, "tensor: %lld columns are no whole number of %s blocks of %d",
           static_cast<long long>(columns), typeName(type).c_str(), format->blockElements);
    }
    tensor.rowBytes = plainRowBytes(*format, columns);
    bytes = matrixBytes(*format, static_cast<td_layout>(layout), rows, columns);
  } else if (layout == TD_PLAIN && (type == TD_I32 || type == TD_F64 || type == TD_ACT8 || type == TD_ACTBF16)) {
    tensor.rowBytes = type == TD_F64 ? columns * 8 : activationRowBytes(type, columns);
    bytes = rows * tensor.rowBytes;
  } else {
    fail(TD_UNSUPPORTED, "tensor: %s in layout %d is not supported", typeName(type).c_str(), layout);
  }
  if (offset < 0 || offset > buffer->size() - bytes) {
    fail(TD_INVALID_ARGUMENT, "tensor: %s at offset %lld lie outside the buffer of %s", bytesText(bytes).c_str(),
         static_cast<long long>(offset), bytesText(buffer->size()).c_str());
  }
  tensor.data = buffer->data() + offset;
  if (reinterpret_cast<uintptr_t>(tensor.data) % alignmentOf(type) != 0) {
    fail(TD_INVALID_ARGUMENT, "tensor: %s at offset %lld: its address is no multiple of %zu", typeName(type).c_str(),
         static_cast<long long>(offset), alignmentOf(type));
  }
  tensor.type = type;
  tensor.layout = static_cast<td_layout>(layout);
  tensor.rows = rows;
  tensor.columns = columns;
  tensor.writable = !buffer->readOnly();
  tensor.host = buffer->isHost();
  if (std::find(buffers_.begin(), buffers_.end(), buffer) == buffers_.end()) buffers_.push_back(std::move(buffer));
  tensors_.push_back(tensor);
  return static_cast<int32_t>(tensors_.size()) - 1;
}

int32_t Program::event() {
  requireOpen();
  signalled_.push_back(false);
  return static_cast<int32_t>(signalled_.size()) - 1;
}

int32_t Program::stream(int32_t kind) {
  requireOpen();
  if (kind != TD_STREAM_COMPUTE && kind != TD_STREAM_COPY)
    fail(TD_INVALID_ARGUMENT, "stream: kind %d does not exist", kind);
  streams_.push_back(static_cast<td_stream_kind>(kind));
  return static_cast<int32_t>(streams_.size()) - 1;
}

void Program::on(int32_t stream) {
  requireOpen();
  if (stream < 0 || stream >= static_cast<int32_t>(streams_.size()))
    fail(TD_INVALID_ARGUMENT, "stream %d does not exist", stream);
  currentStream_ = stream;
}

void Program::extent(int32_t count) {
  requireOpen();
  currentExtent_ = operand(count, TD_I32, "extent: count");
  if (currentExtent_->rows < 1) fail(TD_INVALID_ARGUMENT, "extent: count is an empty tensor");
  requireHost(*currentExtent_, "extent: count");
}

void Program::pace(int64_t minimumNanos) {
  requireOpen();
  constexpr int64_t kMost = 60'000'000'000;
  if (minimumNanos < 0 || minimumNanos > kMost) {
    fail(TD_INVALID_ARGUMENT, "pace: %lld ns is not between 0 and a minute", static_cast<long long>(minimumNanos));
  }
  currentPace_ = minimumNanos;
}

const Tensor& Program::operand(int32_t index, const char* what) const {
  if (index < 0 || index >= static_cast<int32_t>(tensors_.size())) {
    fail(TD_INVALID_ARGUMENT, "%s: tensor %d does not exist", what, index);
  }
  return tensors_[static_cast<size_t>(index)];
}

const Tensor& Program::operand(int32_t index, int32_t type, const char* what) const {
  const Tensor& tensor = operand(index, what);
  if (tensor.type != type || tensor.layout != TD_PLAIN) {
    fail(TD_INVALID_ARGUMENT, "%s: is %s%s, needs plain %s", what, tensor.layout == TD_TILES ? "tiled " : "",
         typeName(tensor.type).c_str(), typeName(type).c_str());
  }
  return tensor;
}

const Tensor& Program::target(int32_t index, int32_t type, const char* what) const {
  const Tensor& tensor = operand(index, type, what);
  requireWritable(tensor, what);
  return tensor;
}

CachedTokens Program::cachedTokens(int32_t positions, int32_t tables, int32_t blocks, int32_t pool, int64_t layerOffset,
                                   int32_t headSize, int32_t kvHeads, const char* what) const {
  CachedTokens tokens{operand(positions, TD_I32, what),
                      operand(tables, TD_I32, what),
                      operand(blocks, TD_I32, what),
                      operand(pool, TD_F16, what),
                      layerOffset,
                      headSize,
                      kvHeads};
  if (headSize < 1 || headSize > 1024)
    fail(TD_INVALID_ARGUMENT, "%s: head size %d is not between 1 and 1024", what, headSize);
  if (kvHeads < 1) fail(TD_INVALID_ARGUMENT, "%s: %d KV heads are not possible", what, kvHeads);
  if (layerOffset < 0 || layerOffset % 2 != 0 || layerOffset > tokens.pool.rowBytes - kvLayerBytes(kvHeads, headSize)) {
    fail(TD_INVALID_ARGUMENT, "%s: a layer of %lld bytes at offset %lld does not fit into a KV block of %lld bytes",
         what, static_cast<long long>(kvLayerBytes(kvHeads, headSize)), static_cast<long long>(layerOffset),
         static_cast<long long>(tokens.pool.rowBytes));
  }
  return tokens;
}

int32_t Program::append(Operation operation, std::initializer_list<int64_t> rows) {
  requireOpen();
  ProgramEntry entry;
  entry.operation = std::move(operation);
  entry.stream = currentStream_;
  entry.minimumNanos = currentPace_;
  if (rows.size() > 0) {
    if (!currentExtent_) fail(TD_INVALID_ARGUMENT, "an operation needs an extent: name its count first");
    entry.extent = currentExtent_->as<int32_t>();
    entry.mostRows = *std::min_element(rows.begin(), rows.end());
  }
  entries_.push_back(std::move(entry));
  return 0;
}

int32_t Program::signal(int32_t event) {
  if (event < 0 || event >= events()) fail(TD_INVALID_ARGUMENT, "signal: event %d does not exist", event);
  if (signalled_[static_cast<size_t>(event)]) fail(TD_INVALID_ARGUMENT, "signal: event %d is signalled twice", event);
  signalled_[static_cast<size_t>(event)] = true;
  return append(op::Signal{event}, {});
}

int32_t Program::wait(int32_t event) {
  if (event < 0 || event >= events()) fail(TD_INVALID_ARGUMENT, "wait: event %d does not exist", event);
  // So the order of the list is one in which everything could run, and no run can wait for itself.
  if (!signalled_[static_cast<size_t>(event)])
    fail(TD_INVALID_ARGUMENT, "wait: event %d is not signalled by an earlier operation", event);
  return append(op::Wait{event}, {});
}

int32_t Program::await(int32_t word, int32_t value) {
  op::Await o{operand(word, TD_I32, "await: word"), value};
  requireOneRow(o.word, 1, "await: word");
  requireHost(o.word, "await: word");
  if (value < 0) fail(TD_INVALID_ARGUMENT, "await: value %d is negative", value);
  return append(o, {std::numeric_limits<int32_t>::max()});
}

int32_t Program::embedding(int32_t table, int32_t ids, int32_t out) {
  op::Embedding o{operand(table, "embedding: table"), operand(ids, TD_I32, "embedding: ids"),
                  target(out, TD_F32, "embedding: out")};
  formatOf(o.table.type);
  requireColumns(o.out, o.table.columns, "embedding: out");
  requireColumns(o.ids, 1, "embedding: ids");
  return append(o, {o.ids.rows, o.out.rows});
}

int32_t Program::rmsNorm(int32_t x, int32_t weight, int32_t out, double epsilon) {
  op::RmsNorm o{operand(x, TD_F32, "rms_norm: x"), operand(weight, TD_F32, "rms_norm: weight"),
                target(out, TD_F32, "rms_norm: out"), static_cast<float>(epsilon)};
  if (!(epsilon >= 0 && epsilon < 1)) fail(TD_INVALID_ARGUMENT, "rms_norm: epsilon %g is not between 0 and 1", epsilon);
  requireOneRow(o.weight, o.x.columns, "rms_norm: weight");
  requireColumns(o.out, o.x.columns, "rms_norm: out");
  return append(o, {o.x.rows, o.out.rows});
}

int32_t Program::encode(int32_t x, int32_t out) {
  const Tensor& target = operand(out, "encode: out");
  if (target.type != TD_ACT8 && target.type != TD_ACTBF16) {
    fail(TD_INVALID_ARGUMENT, "encode: out: is %s, needs ACT8 or ACTBF16", typeName(target.type).c_str());
  }
  requireWritable(target, "encode: out");
  op::Encode o{operand(x, TD_F32, "encode: x"), target};
  requireColumns(o.out, o.x.columns, "encode: out");
  return append(o, {o.x.rows, o.out.rows});
}

int32_t Program::matmul(int32_t weight, int32_t x, int32_t bias, int32_t out) {
  op::MatMul o{operand(weight, "matmul: weight"), operand(x, "matmul: x"), std::nullopt,
               target(out, TD_F32, "matmul: out")};
  formatOf(o.weight.type);
  const int32_t wanted = device_->activationType(o.weight.type);
  if (o.x.type != wanted || o.x.layout != TD_PLAIN) {
    fail(TD_INVALID_ARGUMENT, "matmul: x: is %s, weights of %s need %s", typeName(o.x.type).c_str(),
         typeName(o.weight.type).c_str(), typeName(wanted).c_str());
  }
  requireColumns(o.x, o.weight.columns, "matmul: x");
  requireColumns(o.out, o.weight.rows, "matmul: out");
  if (bias != -1) {
    o.bias = operand(bias, TD_F32, "matmul: bias");
    requireOneRow(*o.bias, o.weight.rows, "matmul: bias");
  }
  return append(o, {o.x.rows, o.out.rows});
}

int32_t Program::ropeAngles(int32_t positions, int32_t frequencies, int32_t out) {
  op::RopeAngles o{operand(positions, TD_I32, "rope_angles: positions"),
                   operand(frequencies, TD_F64, "rope_angles: frequencies"), target(out, TD_F32, "rope_angles: out")};
  requireColumns(o.positions, 1, "rope_angles: positions");
  requireOneRow(o.frequencies, o.frequencies.columns, "rope_angles: frequencies");
  requireColumns(o.out, 2 * o.frequencies.columns, "rope_angles: out");
  return append(o, {o.positions.rows, o.out.rows});
}

int32_t Program::rope(int32_t x, int32_t angles, int32_t headSize, int32_t layout) {
  op::Rope o{target(x, TD_F32, "rope: x"), operand(angles, TD_F32, "rope: angles"), headSize,
             static_cast<td_rope_layout>(layout)};
  if (layout != TD_ROPE_NORM && layout != TD_ROPE_NEOX)
    fail(TD_INVALID_ARGUMENT, "rope: layout %d does not exist", layout);
  if (headSize < 1 || o.x.columns % headSize != 0) {
    fail(TD_INVALID_ARGUMENT, "rope: %lld columns are no whole number of heads of %d",
         static_cast<long long>(o.x.columns), headSize);
  }
  if (o.angles.columns % 2 != 0 || o.angles.columns > headSize) {
    fail(TD_INVALID_ARGUMENT, "rope: %lld rotated dimensions do not fit a head of %d",
         static_cast<long long>(o.angles.columns), headSize);
  }
  return append(o, {o.x.rows, o.angles.rows});
}

int32_t Program::storeKv(int32_t k, int32_t v, int32_t positions, int32_t tables, int32_t blocks, int32_t pool,
                         int64_t layerOffset, int32_t headSize) {
  const Tensor& keys = operand(k, TD_F32, "store_kv: k");
  const Tensor& values = operand(v, TD_F32, "store_kv: v");
  requireSameShape(keys, values, "store_kv: k and v");
  if (headSize < 1 || keys.columns % headSize != 0) {
    fail(TD_INVALID_ARGUMENT, "store_kv: %lld columns are no whole number of heads of %d",
         static_cast<long long>(keys.columns), headSize);
  }
  op::StoreKv o{keys, values,
                cachedTokens(positions, tables, blocks, pool, layerOffset, headSize,
                             static_cast<int32_t>(keys.columns / headSize), "store_kv")};
  requireWritable(o.tokens.pool, "store_kv: pool");
  return append(o, {keys.rows, o.tokens.positions.rows, o.tokens.tables.rows});
}

int32_t Program::attention(int32_t q, int32_t positions, int32_t tables, int32_t blocks, int32_t pool, int32_t out,
                           int64_t layerOffset, int32_t headSize, int32_t kvHeads, double scale) {
  op::Attention o{operand(q, TD_F32, "attention: q"), target(out, TD_F32, "attention: out"),
                  cachedTokens(positions, tables, blocks, pool, layerOffset, headSize, kvHeads, "attention"),
                  static_cast<float>(scale)};
  requireColumns(o.out, o.q.columns, "attention: out");
  if (o.q.columns % headSize != 0 || o.q.columns / headSize % kvHeads != 0) {
    fail(TD_INVALID_ARGUMENT, "attention: %lld columns are no whole number of heads of %d for each of %d KV heads",
         static_cast<long long>(o.q.columns), headSize, kvHeads);
  }
  return append(o, {o.q.rows, o.out.rows, o.tokens.positions.rows, o.tokens.tables.rows});
}

int32_t Program::gated(int32_t x, int32_t y, int32_t out, int32_t gate) {
  if (gate != TD_GATE_SILU) fail(TD_UNSUPPORTED, "gated: gate %d is not supported; supported: SILU", gate);
  op::Gated o{operand(x, TD_F32, "gated: x"), operand(y, TD_F32, "gated: y"), target(out, TD_F32, "gated: out"),
              static_cast<td_gate>(gate)};
  requireSameShape(o.x, o.y, "gated: x and y");
  requireSameShape(o.x, o.out, "gated: x and out");
  return append(o, {o.x.rows});
}

int32_t Program::add(int32_t x, int32_t y, int32_t out) {
  op::Add o{operand(x, TD_F32, "add: x"), operand(y, TD_F32, "add: y"), target(out, TD_F32, "add: out")};
  requireColumns(o.y, o.x.columns, "add: y");
  requireColumns(o.out, o.x.columns, "add: out");
  return append(o, {o.x.rows, o.y.rows, o.out.rows});
}

int32_t Program::gather(int32_t x, int32_t rows, int32_t out) {
  op::Gather o{operand(x, TD_F32, "gather: x"), operand(rows, TD_I32, "gather: rows"),
               target(out, TD_F32, "gather: out")};
  requireColumns(o.rows, 1, "gather: rows");
  requireColumns(o.out, o.x.columns, "gather: out");
  return append(o, {o.rows.rows, o.out.rows});
}

int32_t Program::copy(int32_t x, int32_t out) {
  op::Copy o{operand(x, "copy: x"), operand(out, "copy: out")};
  if (o.x.type != o.out.type || o.x.layout != TD_PLAIN || o.out.layout != TD_PLAIN) {
    fail(TD_INVALID_ARGUMENT, "copy: x (%s) and out (%s) need the same type in plain layout",
         typeName(o.x.type).c_str(), typeName(o.out.type).c_str());
  }
  requireWritable(o.out, "copy: out");
  requireColumns(o.out, o.x.columns, "copy: out");
  return append(o, {o.x.rows, o.out.rows});
}

int32_t Program::adjust(int32_t logits, int32_t counts, int32_t ids, int32_t factors, int32_t addends) {
  op::Adjust o{target(logits, TD_F32, "adjust: logits"), operand(counts, TD_I32, "adjust: counts"),
               operand(ids, TD_I32, "adjust: ids"), operand(factors, TD_F32, "adjust: factors"),
               operand(addends, TD_F32, "adjust: addends")};
  requireColumns(o.counts, 1, "adjust: counts");
  requireColumns(o.factors, o.ids.columns, "adjust: factors");
  requireColumns(o.addends, o.ids.columns, "adjust: addends");
  return append(o, {o.logits.rows, o.counts.rows, o.ids.rows, o.factors.rows, o.addends.rows});
}

int32_t Program::select(int32_t logits, int32_t ids, int32_t values, int32_t logSums) {
  op::Select o{operand(logits, TD_F32, "select: logits"), target(ids, TD_I32, "select: ids"),
               target(values, TD_F32, "select: values"), target(logSums, TD_F32, "select: log_sums")};
  if (o.ids.columns > TD_MAX_CANDIDATES) {
    fail(TD_INVALID_ARGUMENT, "select: %lld candidates exceed %d", static_cast<long long>(o.ids.columns),
         TD_MAX_CANDIDATES);
  }
  requireColumns(o.values, o.ids.columns, "select: values");
  requireColumns(o.logSums, 1, "select: log_sums");
  return append(o, {o.logits.rows, o.ids.rows, o.values.rows, o.logSums.rows});
}

int32_t Program::pick(int32_t logits, int32_t values, int32_t logSums, int32_t rows, int32_t settings,
                      int32_t pickedIds, int32_t pickedValues) {
  op::Pick o{operand(logits, TD_F32, "pick: logits"),
             operand(values, TD_F32, "pick: values"),
             operand(logSums, TD_F32, "pick: log_sums"),
             operand(rows, TD_I32, "pick: rows"),
             operand(settings, TD_F64, "pick: settings"),
             target(pickedIds, TD_I32, "pick: picked_ids"),
             target(pickedValues, TD_F32, "pick: picked_values")};
  requireColumns(o.logSums, 1, "pick: log_sums");
  requireColumns(o.rows, 1, "pick: rows");
  requireColumns(o.settings, TD_PICK_SETTINGS, "pick: settings");
  requireColumns(o.pickedIds, 1, "pick: picked_ids");
  requireColumns(o.pickedValues, 1, "pick: picked_values");
  return append(o, {o.rows.rows, o.settings.rows, o.pickedIds.rows, o.pickedValues.rows});
}

void Program::finish() {
  requireOpen();
  executable_ = device_->compile(*this);
}

void Program::run(const std::atomic<bool>* abort) {
  Executable* executable = nullptr;
  {
    const std::lock_guard lock(writing_);
    executable = executable_.get();  // set once, and kept
  }
  if (executable == nullptr) fail(TD_INVALID_ARGUMENT, "the program is not finished");
  executable->run(abort);
}

}  // namespace td
