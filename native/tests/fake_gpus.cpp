// A libtandem_cuda.so without CUDA: a machine with a GPU that is too old, one that the library has no code for, and one
// that can be opened, told how much of its memory is free, and no more.
#include <cstdio>
#include <cstring>

#include "cuda/gpu.h"

namespace {

constexpr int64_t kGib = int64_t{1} << 30;

thread_local const char* lastMessage = "";

td_gpu_status failed(const char* message) {
  lastMessage = message;
  return TD_GPU_NONE;
}

int64_t message(char* text, int64_t capacity) {
  snprintf(text, static_cast<size_t>(capacity), "%s", lastMessage);
  return static_cast<int64_t>(strlen(lastMessage));
}

td_gpu_status count(int32_t* count) {
  *count = 3;
  return TD_GPU_OK;
}

td_gpu_status info(int32_t index, td_gpu_info* info) {
  if (index > 2) return failed("there is no device cuda:3: there are 3 (CUDA_VISIBLE_DEVICES may hide some)");
  static constexpr const char* kNames[] = {"NVIDIA GeForce GTX 1080 Ti", "NVIDIA H100 80GB HBM3",
                                           "NVIDIA GeForce RTX 4090"};
  static constexpr int32_t kCompute[] = {61, 90, 89};
  *info = {};
  snprintf(info->name, sizeof info->name, "%s", kNames[index]);
  snprintf(info->bus, sizeof info->bus, "0000:%d1:00.0", index);
  snprintf(info->release, sizeof info->release, "580.65.06");
  info->compute = kCompute[index];
  info->multiprocessors = 28;
  info->copy_engines = 2;
  info->memory_bytes = info->free_bytes = 11 * kGib;
  info->l2_bytes = 1 << 20;
  info->driver = 13010;
  info->runtime = 13000;
  return TD_GPU_OK;
}

td_gpu_status open(int32_t index, const char*, td_gpu** gpu) {
  static int opened;
  switch (index) {
    case 0:
      return failed("cuda:0, NVIDIA GeForce GTX 1080 Ti (6.1): needs Turing (7.5) or newer");
    case 1:
      return failed("cuda:1, NVIDIA H100 80GB HBM3 (9.0): this build has code for 8.9 only: install one for this GPU");
    default:
      *gpu = reinterpret_cast<td_gpu*>(&opened);
      return TD_GPU_OK;
  }
}

void close(td_gpu*) {}

td_gpu_status freeBytes(td_gpu*, int64_t* bytes) {
  *bytes = 9 * kGib;
  return TD_GPU_OK;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const td_gpu_table* td_gpu_open_table(void) {
  static const td_gpu_table table = [] {
    td_gpu_table made{};
    made.version = TD_GPU_VERSION;
    made.message = message;
    made.count = count;
    made.info = info;
    made.open = open;
    made.close = close;
    made.free_bytes = freeBytes;
    return made;
  }();
  return &table;
}
