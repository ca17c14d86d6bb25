// The launchers of all kernel files, for the table (table.cu). See kernels.h.
#pragma once

#include "cuda/kernels/kernels.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

DeviceError rmsNorm(void* stream, const RmsNormCall& call);
DeviceError siluTimes(void* stream, const ElementwiseCall& call);
DeviceError add(void* stream, const ElementwiseCall& call);
DeviceError matVecQ80(void* stream, const MatVecCall& call);

}  // namespace td::TD_VIEWS
