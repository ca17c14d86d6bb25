// A program while it is written, and when it is sealed: see tandem.h. Checks every operand's type and shape, so that a
// device can trust what it compiles.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/device.h"
#include "core/file.h"
#include "core/operations.h"

namespace td {

class Program final : public Object {
 public:
  explicit Program(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  // owner: the device that the buffer is of.
  int32_t tensor(const Device& owner, std::shared_ptr<Buffer> buffer, int64_t offset, int32_t type, int32_t layout,
                 int64_t rows, int64_t columns);
  int32_t event();
  int32_t stream(int32_t kind);
  void on(int32_t stream);
  void extent(int32_t count);
  void pace(int64_t minimumNanos);

  int32_t signal(int32_t event);
  int32_t wait(int32_t event);
  int32_t await(int32_t word, int32_t value);
  int32_t embedding(int32_t table, int32_t ids, int32_t out);
  int32_t rmsNorm(int32_t x, int32_t weight, int32_t out, double epsilon);
  int32_t encode(int32_t x, int32_t out);
  int32_t matmul(int32_t weight, int32_t x, int32_t bias, int32_t out);
  int32_t ropeAngles(int32_t positions, int32_t frequencies, int32_t out);
  int32_t rope(int32_t x, int32_t angles, int32_t headSize, int32_t layout);
  int32_t storeKv(int32_t k, int32_t v, int32_t positions, int32_t tables, int32_t blocks, int32_t pool,
                  int64_t layerOffset, int32_t headSize);
  int32_t attention(int32_t q, int32_t positions, int32_t tables, int32_t blocks, int32_t pool, int32_t out,
                    int64_t layerOffset, int32_t headSize, int32_t kvHeads, double scale);
  int32_t gated(int32_t x, int32_t y, int32_t out, int32_t gate);
  int32_t add(int32_t x, int32_t y, int32_t out);
  int32_t gather(int32_t x, int32_t rows, int32_t out);
  int32_t copy(int32_t x, int32_t out);
  int32_t adjust(int32_t logits, int32_t counts, int32_t ids, int32_t factors, int32_t addends);
  int32_t select(int32_t logits, int32_t ids, int32_t values, int32_t logSums);
  int32_t pick(int32_t logits, int32_t values, int32_t logSums, int32_t rows, int32_t settings, int32_t pickedIds,
               int32_t pickedValues);

  void finish();

  // Held by whoever calls one of the functions above.
  std::mutex& writing() { return writing_; }

  void run(const std::atomic<bool>* abort);

  const std::vector<ProgramEntry>& entries() const { return entries_; }
  const std::vector<td_stream_kind>& streams() const { return streams_; }
  const std::vector<std::shared_ptr<Buffer>>& buffers() const { return buffers_; }
  int events() const { return static_cast<int>(signalled_.size()); }

 private:
  // The operand's tensor, if it has this type in plain layout; `what` names operation and operand in errors ("matmul:
  // x").
  const Tensor& operand(int32_t index, int32_t type, const char* what) const;
  const Tensor& operand(int32_t index, const char* what) const;
  // The same for operands that are written.
  const Tensor& target(int32_t index, int32_t type, const char* what) const;
  CachedTokens cachedTokens(int32_t positions, int32_t tables, int32_t blocks, int32_t pool, int64_t layerOffset,
                            int32_t headSize, int32_t kvHeads, const char* what) const;
  int32_t append(Operation operation, std::initializer_list<int64_t> rows);
  void requireOpen() const;

  std::shared_ptr<Device> device_;
  std::mutex writing_;
  std::vector<std::shared_ptr<Buffer>> buffers_;  // kept alive
  std::vector<Tensor> tensors_;
  std::vector<bool> signalled_;  // per event
  std::vector<td_stream_kind> streams_{TD_STREAM_COMPUTE};
  std::vector<ProgramEntry> entries_;
  int currentStream_ = 0;
  std::optional<Tensor> currentExtent_;
  int64_t currentPace_ = 0;
  std::unique_ptr<Executable> executable_;
};

}  // namespace td
