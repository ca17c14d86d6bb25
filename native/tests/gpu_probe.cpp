// Opens a library for GPUs as libtandem.so does, and prints what it says of this machine.
#include <dlfcn.h>

#include <cstdio>

#include "cuda/gpu.h"

int main(int, char** arguments) {
  void* const library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return puts(dlerror()), 1;
  const auto openTable = reinterpret_cast<decltype(&td_gpu_open_table)>(dlsym(library, TD_GPU_OPEN_TABLE));
  if (openTable == nullptr) return puts(dlerror()), 1;
  const td_gpu_table& table = *openTable();
  const auto print = [&](const char* what, td_gpu_status status) {
    char message[1024] = "";
    if (status != TD_GPU_OK) table.message(message, sizeof message);
    printf("%s: status %d %s\n", what, status, message);
  };
  int32_t devices = -1;
  print("count", table.count(&devices));
  printf("devices: %d\n", devices);
  for (int32_t i = 0; i < devices; ++i) {
    td_gpu_info info;
    print("info", table.info(i, &info));
    printf("cuda:%d: %s, %d.%d, %lld MiB of %lld free\n", i, info.name, info.compute / 10, info.compute % 10,
           static_cast<long long>(info.free_bytes >> 20), static_cast<long long>(info.memory_bytes >> 20));
  }
  td_gpu* gpu = nullptr;
  print("open none", table.open(devices, "", &gpu));  // one more than there are
  return 0;
}
