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
        row_(place.device.gpu(), o.logits.host ? 0 : o.logits.rowBytes),
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
      checkDraw(o_, row);
      const int64_t from = *o_.rows.row<int32_t>(row);
      if (!o_.logits.host) {
        place_.stream.copy(gpuAddress(row_.data()), gpuAddress(o_.logits.row<float>(from)), o_.logits.rowBytes,
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

  // The operation of one draw, on the row of logits that has been copied.
  op::Pick operationOf(const Draw& draw) const {
    op::Pick o = o_;
    for (Tensor* tensor : {&o.rows, &o.settings, &o.pickedIds, &o.pickedValues}) {
      tensor->data = tensor->row<uint8_t>(draw.row);
      tensor->rows = 1;
    }
    if (!o.logits.host) o.logits.data = row_.data() - draw.from * o.logits.rowBytes;
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
