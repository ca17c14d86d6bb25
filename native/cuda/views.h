// All that a kernel file includes.
//
//   namespace td::TD_VIEWS {
//   __global__ void scale(Global<const float> x, Global<float> y, float factor, int n) { ... }
//   DeviceError scaleAll(StreamRef stream, DeviceSpan<const float> x, DeviceSpan<float> y, float factor) {
//     return launch<scale>(blocks, 256, 0, stream, x, y, factor, int(x.count));
//   }
//   }
//
// Kernels touch memory through Global<T>, a parameter, and Shared<T>, which TD_SHARED and dynamicShared() make. Under
// nvcc both are pointers, and TD_VIEWS is `cuda`. The host compiler takes a kernel file twice, for the emulated device:
// TD_VIEWS=raw, where they are pointers too, and TD_VIEWS=checked, where every access is. See docs/emulator.md.
#pragma once

#include "cuda/device_error.h"
#include "cuda/device_span.h"

#if defined(__CUDACC__)

#define TD_VIEWS cuda
#include "cuda/cuda_views.h"

#else

#if !defined(TD_VIEWS)
#error "compile kernels with -DTD_VIEWS=checked or -DTD_VIEWS=raw"
#endif

#include "cuda/emulated/atomics.h"
#include "cuda/emulated/checked_views.h"
#include "cuda/emulated/half_words.h"
#include "cuda/emulated/raw_views.h"
#include "cuda/emulated/thread_words.h"
#include "cuda/emulated/told.h"
#include "cuda/emulated/words.h"

namespace td::TD_VIEWS {

using namespace emulated::words;
using emulated::told;
using StreamRef = emulated::Stream*;

template <auto kernel, class... Arguments>
DeviceError launch(dim3 grid, dim3 block, size_t dynamicShared, StreamRef stream, const Arguments&... arguments) {
  return emulated::launch<Views, kernel>(grid, block, dynamicShared, stream, arguments...);
}

// `count` elements of the dynamic shared memory, from a byte on.
template <class T>
Shared<T> dynamicShared(size_t offset, size_t count) {
  return Views::shared<T>(emulated::current->block.shared().dynamic(offset, sizeof(T), count));
}

}  // namespace td::TD_VIEWS

// An array in shared memory; aligned to 16 bytes at least. (A static for each declaration is what tells it from
// others.)
#define TD_SHARED(T, name, count)       \
  static const char name##Declared = 0; \
  const Shared<T> name =                \
      Views::shared<T>(::td::emulated::current->block.shared().array(&name##Declared, #name, sizeof(T), count))

#endif
