#include "cuda/kernels/launchers.h"

namespace td::TD_VIEWS {

const GpuKernels gpuKernels = {
    .rmsNorm = rmsNorm,
    .siluTimes = siluTimes,
    .add = add,
    .matVecQ80 = matVecQ80,
    .ropeAngles = ropeAngles,
    .rope = rope,
    .storeKv = storeKv,
    .ropeStoreKv = ropeStoreKv,
    .attention = attention,
    .embedding = embedding,
    .gatherRows = gatherRows,
    .copyBytes = copyBytes,
};

}  // namespace td::TD_VIEWS
