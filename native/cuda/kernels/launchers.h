// The launchers of all kernel files, for the table (table.cu). See kernels.h.
#pragma once

#include "cuda/device_error.h"
#include "cuda/kernels/kernels.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

DeviceError rmsNorm(void* stream, const RmsNormCall& call);
DeviceError siluTimes(void* stream, const ElementwiseCall& call);
DeviceError add(void* stream, const ElementwiseCall& call);
DeviceError matVec(void* stream, const MatMulCall& call);  // matMul() for few tokens, of which there are some
DeviceError matMul(void* stream, const MatMulCall& call);
DeviceError ropeAngles(void* stream, const RopeAnglesCall& call);
DeviceError rope(void* stream, const RopeCall& call);
DeviceError storeKv(void* stream, const StoreKvCall& call);
DeviceError ropeStoreKv(void* stream, const RopeStoreKvCall& call);
DeviceError attention(void* stream, const AttentionCall& call);
DeviceError embedding(void* stream, const EmbeddingCall& call);
DeviceError gatherRows(void* stream, const GatherCall& call);
DeviceError copyBytes(void* stream, const CopyCall& call);
DeviceError encode(void* stream, const EncodeCall& call);
DeviceError adjust(void* stream, const AdjustCall& call);
DeviceError select(void* stream, const SelectCall& call);

}  // namespace td::TD_VIEWS
