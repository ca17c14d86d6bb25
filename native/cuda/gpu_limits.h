// How fast a GPU copies, as its own events time it.
#pragma once

#include <cstdint>

namespace td {

class GpuDevice;

// Bytes per second. Takes memory of the device meanwhile, within its limit; nothing else should run on it. Fails with
// TD_UNSUPPORTED for what is no copy: what the multiprocessors compute at most is not known.
double measureGpu(GpuDevice& device, int32_t kind, int32_t milliseconds);

}  // namespace td
