// What is PTX on a GPU, as functions of our own. On the emulated device each does what the
// instruction promises, and no more. `ldmatrix` and `mma` find their place here.
//
// Asynchronous copies from global to shared memory (cp.async): each thread puts its copies into groups and waits for
// groups. Until then the target must not be read, nor the source be written to; and it is there for the thread that
// waited: other threads need a barrier behind the wait.
//
//   copyAsync<16>(tile, 4 * i, x, 4 * j);  // 16 bytes
//   commitCopies();
//   awaitCopies<0>();
//   __syncthreads();
#pragma once

#include "cuda/views.h"

#if defined(__CUDACC__)

namespace td::cuda {

// 4, 8 or 16 bytes, to and from addresses that are divisible by that. Before Ampere the copy happens at once.
template <int bytes, class To, class From>
__device__ __forceinline__ void copyAsync(To* to, ptrdiff_t toIndex, const From* from, ptrdiff_t fromIndex) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  const auto target = static_cast<unsigned>(__cvta_generic_to_shared(to + toIndex));
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(from + fromIndex) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(target), "l"(from + fromIndex), "n"(bytes)
                 : "memory");
  }
#else
  const auto* source = reinterpret_cast<const unsigned*>(from + fromIndex);
  auto* target = reinterpret_cast<unsigned*>(to + toIndex);
#pragma unroll
  for (int i = 0; i < bytes / 4; ++i) target[i] = source[i];
#endif
}

__device__ __forceinline__ void commitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for all groups but the last `pending`.
template <int pending>
__device__ __forceinline__ void awaitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

}  // namespace td::cuda

#else

#include "cuda/emulated/async_copies.h"

namespace td::TD_VIEWS {

template <int bytes, class To, class From>
void copyAsync(To to, ptrdiff_t toIndex, From from, ptrdiff_t fromIndex) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  struct alignas(bytes) Bytes {
    std::byte at[bytes];
  };
  const auto value = loadAs<Bytes>(from, fromIndex);
  emulated::current->copies.add(placeFor<Bytes>(to, toIndex), value.at, bytes);
}

inline void commitCopies() {
  emulated::current->copies.commit();
}

template <int pending>
void awaitCopies() {
  emulated::current->copies.await(pending);
}

}  // namespace td::TD_VIEWS

#endif
