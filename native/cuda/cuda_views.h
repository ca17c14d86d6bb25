// Views under nvcc: pointers, at no cost. See views.h.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>

#include "cuda/device_error.h"
#include "cuda/device_span.h"
#include "cuda/gpu.h"

namespace td::cuda {

template <class T>
using Global = T*;
template <class T>
using Shared = T*;
using StreamRef = cudaStream_t;

template <class Wide, class T>
__device__ __forceinline__ Wide loadAs(const T* view, ptrdiff_t i) {
  return *reinterpret_cast<const Wide*>(view + i);
}
template <class Wide, class T>
__device__ __forceinline__ void storeAs(T* view, ptrdiff_t i, Wide value) {
  *reinterpret_cast<Wide*>(view + i) = value;
}
template <class T, class Member>
__device__ __forceinline__ Member loadField(const T* view, ptrdiff_t i, Member T::* member) {
  return view[i].*member;
}

template <class T>
__device__ __forceinline__ T* dynamicShared(size_t offset, size_t) {
  extern __shared__ __align__(16) unsigned char dynamicSharedMemory[];
  return reinterpret_cast<T*>(dynamicSharedMemory + offset);
}

template <class T>
T asArgument(const T& value) {
  return value;
}
template <class T>
T* asArgument(const DeviceSpan<T>& span) {
  return span.count == 0 ? nullptr : reinterpret_cast<T*>(span.address);
}
template <class T>
const T* asArgument(const ReadOnlySpan<T>& span) {
  return span.count == 0 ? nullptr : reinterpret_cast<const T*>(span.address);
}

// Keeps a message for the table of gpu.h; returns the status (runtime.cpp).
td_gpu_status failed(DeviceFault fault, const char* message);

// Tells what a launcher returned.
template <class Body>
td_gpu_status told(Body body) {
  const DeviceError error = body();
  return error ? failed(error.fault(), error.message()) : TD_GPU_OK;
}

template <auto kernel, class... Arguments>
DeviceError launch(dim3 grid, dim3 block, size_t dynamicShared, StreamRef stream, const Arguments&... arguments) {
  if (dynamicShared > 48 << 10) {
    const cudaError_t allowed =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(dynamicShared));
    if (allowed != cudaSuccess) return {DeviceFault::invalidArgument, cudaGetErrorString(allowed)};
  }
  kernel<<<grid, block, dynamicShared, stream>>>(asArgument(arguments)...);
  const cudaError_t error = cudaPeekAtLastError();  // told() takes it
  return error == cudaSuccess ? DeviceError() : DeviceError(DeviceFault::kernelFailed, cudaGetErrorString(error));
}

}  // namespace td::cuda

#define TD_SHARED(T, name, count) __shared__ __align__(16) T name[count]
