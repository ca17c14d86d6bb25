// Draws from whole rows on a GPU. A row of logits is copied to the host, which draws as it does for the CPU.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/status.h"
#include "cpu/cpu_operation.h"
#include "cuda/gpu_device.h"
#include "cuda/gpu_step.h"

namespace td {
namespace {

class PickStep final : public GpuStep {
 public:
  PickStep(const GpuStepPlace& place, const op::Pick& o, const ProgramEntry& entry)
      : place_(place),
        o_(o),
        extent_(entry.extent),
        mostRows_(entry.mostRows),
        row_(place.device.gpu(), rowBytes(o)),
        draws_(static_cast<size_t>(entry.mostRows)) {
    for (const Tensor* tensor : {&o.values, &o.logSums, &o.rows, &o.settings, &o.pickedIds, &o.pickedValues}) {
      if (tensor->host) continue;
      fail(TD_UNSUPPORTED, "%s: pick: all but the logits must lie in memory that the host shares",
           place.device.name().c_str());
    }
  }

  void enqueue() override {
    const int64_t rows = rowsOf(extent_, mostRows_);
    for (int64_t row = 0; row < rows; ++row) {
      const int32_t from = *o_.rows.row<int32_t>(row);
      const int64_t most = std::min({o_.logits.rows, o_.values.rows, o_.logSums.rows});
      if (from < 0 || from >= most) {
        fail(TD_INVALID_ARGUMENT, "pick: row %d in row %lld is not below %lld", from, static_cast<long long>(row),
             static_cast<long long>(most));
      }
      if (!o_.logits.host) {
        place_.stream.copy(gpuAddress(logits()), gpuAddress(o_.logits.row<float>(from)), o_.logits.rowBytes,
                           TD_GPU_TO_HOST);
      }
      Draw& draw = draws_[static_cast<size_t>(row)] = {this, row, from};
      place_.stream.call([](void* each) { static_cast<Draw*>(each)->step->start(*static_cast<Draw*>(each)); }, &draw);
    }
  }

 private:
  struct Draw {
    PickStep* step = nullptr;
    int64_t row = 0;   // of the draws
    int64_t from = 0;  // of the logits
  };

  // A row of logits, and the number of the row that the operation is to read: 0.
  static int64_t rowBytes(const op::Pick& o) { return o.logits.rowBytes + 64; }
  float* logits() const { return reinterpret_cast<float*>(row_.data() + 64); }

  // The operation of one draw.
  op::Pick operationOf(const Draw& draw) const {
    const auto one = [](const Tensor& tensor, int64_t row) {
      Tensor cut = tensor;
      cut.data = tensor.row<uint8_t>(row);
      cut.rows = 1;
      return cut;
    };
    op::Pick o{one(o_.logits, 0),          one(o_.values, draw.from),   one(o_.logSums, draw.from),    one(o_.rows, 0),
               one(o_.settings, draw.row), one(o_.pickedIds, draw.row), one(o_.pickedValues, draw.row)};
    o.rows.data = row_.data();
    o.logits.data = o_.logits.host ? o_.logits.row<uint8_t>(draw.from) : reinterpret_cast<uint8_t*>(logits());
    return o;
  }

  // On a thread of the stream's.
  void start(const Draw& draw) {
    if (!place_.state.goesOn()) return;
    try {
      const auto operation = makePick(operationOf(draw), {place_.device.kernels(), 1});
      const WorkNeed need = operation->work();
      work_.resize(static_cast<size_t>(need.bytes(1) + 63) / 8);
      auto* const memory = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(work_.data()) + 63) / 64 * 64);
      operation->useShared(memory);
      for (int pass = 0; pass < operation->passes(); ++pass) {
        const int64_t chunks = operation->open(pass, 1);
        for (int64_t chunk = 0; chunk < chunks; ++chunk) operation->run(pass, chunk, memory + need.workerOffset(0));
      }
    } catch (...) {
      place_.state.fail(std::current_exception());
    }
  }

  const GpuStepPlace place_;
  const op::Pick o_;
  const int32_t* extent_;
  int64_t mostRows_;
  PinnedMemory row_;
  std::vector<Draw> draws_;
  std::vector<double> work_;  // made when first needed
};

}  // namespace

std::unique_ptr<GpuStep> makePickStep(const GpuStepPlace& place, const op::Pick& operation, const ProgramEntry& entry) {
  return std::make_unique<PickStep>(place, operation, entry);
}

}  // namespace td
