#include "cuda/emulated/told.h"

namespace td::emulated {
namespace {

thread_local std::string message;

}  // namespace

const std::string& lastMessage() {
  return message;
}

td_gpu_status failed(td_gpu_status status, std::string text) noexcept {
  message = std::move(text);
  return status;
}

td_gpu_status statusOf(const DeviceError& error) noexcept {
  switch (error.fault()) {
    case DeviceFault::none:
      return TD_GPU_OK;
    case DeviceFault::outOfMemory:
      return failed(TD_GPU_OUT_OF_MEMORY, error.message());
    case DeviceFault::kernelFailed:  // as on a GPU, where nothing works after it
    case DeviceFault::lost:
      return failed(TD_GPU_LOST, error.message());
    default:
      return failed(TD_GPU_FAILED, error.message());
  }
}

}  // namespace td::emulated
