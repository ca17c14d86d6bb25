// Finds the libraries for GPUs, and opens their devices by name.
#pragma once

#include <memory>
#include <string>

#include "core/device.h"
#include "cuda/gpu.h"

namespace td {

// "cuda:0", "emulated:1/host".
bool isGpuName(const std::string& name);

// The table of a library that lies beside this one, or in the folder that TANDEM_GPU_LIBRARIES names:
// "libtandem_emulated.so". It stays loaded. Fails with TD_UNSUPPORTED.
const td_gpu_table& gpuTable(const std::string& library);

// isa, threads: of the CPU's kernels, where an emulated device uses them. memoryLimit: bytes; 0 = what the device has.
std::shared_ptr<Device> openGpuDevice(const std::string& name, const char* isa, int threads, int64_t memoryLimit);

}  // namespace td
