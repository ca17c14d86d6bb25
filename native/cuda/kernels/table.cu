#include "cuda/kernels/launchers.h"

namespace td::TD_VIEWS {

namespace {

// A launcher as others may call it: what it returns is told in plain C.
template <auto launcher>
struct Told;
template <class Call, DeviceError (*launcher)(void*, const Call&)>
struct Told<launcher> {
  static td_gpu_status call(void* stream, const Call& call) {
    return told([&] { return launcher(stream, call); });
  }
};

template <auto launcher>
constexpr auto tell = &Told<launcher>::call;

}  // namespace

const GpuKernels gpuKernels = {
    .rmsNorm = tell<rmsNorm>,
    .siluTimes = tell<siluTimes>,
    .add = tell<add>,
    .matMul = tell<matMul>,
    .ropeAngles = tell<ropeAngles>,
    .rope = tell<rope>,
    .storeKv = tell<storeKv>,
    .ropeStoreKv = tell<ropeStoreKv>,
    .attention = tell<attention>,
    .embedding = tell<embedding>,
    .gatherRows = tell<gatherRows>,
    .copyBytes = tell<copyBytes>,
    .encode = tell<encode>,
    .adjust = tell<adjust>,
    .select = tell<select>,
};

}  // namespace td::TD_VIEWS
