// The words of CUDA that need other threads: barriers, shuffles, votes. A barrier knows its own line by its default
// argument.
#pragma once

#include <atomic>
#include <type_traits>

#include "cuda/emulated/block.h"

namespace td::emulated::words {

inline void __syncthreads(Site site = Site::here()) {
  current->block.barrier(BarrierKind::plain, 0, site);
}
inline int __syncthreads_count(int predicate, Site site = Site::here()) {
  return current->block.barrier(BarrierKind::count, predicate, site);
}
inline int __syncthreads_and(int predicate, Site site = Site::here()) {
  return current->block.barrier(BarrierKind::all, predicate, site);
}
inline int __syncthreads_or(int predicate, Site site = Site::here()) {
  return current->block.barrier(BarrierKind::any, predicate, site);
}

// A fiber's accesses happen in the order of the program, and this is so for other host threads too. To checked views,
// what one block tells another counts only behind a fence.
inline void __threadfence() {
#if !defined(TD_TSAN)  // which does not know it; there, one host thread runs all blocks
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  const Unseen unseen;
  current->block.grid().fence();
}
inline void __threadfence_system() {
  __threadfence();
}
inline void __threadfence_block() {}

inline void __syncwarp(unsigned mask = ~0u, Site site = Site::here()) {
  current->block.warpOperation(WarpOperation::sync, mask, 0, 0, warpSize, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return static_cast<unsigned>(
      current->block.warpOperation(WarpOperation::ballot, mask, predicate != 0 ? 1 : 0, 0, warpSize, site));
}
inline int __any_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return static_cast<int>(
      current->block.warpOperation(WarpOperation::any, mask, predicate != 0 ? 1 : 0, 0, warpSize, site));
}
inline int __all_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return static_cast<int>(
      current->block.warpOperation(WarpOperation::all, mask, predicate != 0 ? 1 : 0, 0, warpSize, site));
}

// The lanes that are converged with this one: which ones a GPU says is not defined, so here nobody but itself.
inline unsigned __activemask() {
  return 1u << current->lane();
}

// What a shuffle carries: any type of up to eight bytes.
template <class T>
T shuffled(WarpOperation operation, unsigned mask, T value, int argument, int width, Site site) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = current->block.warpOperation(operation, mask, bits, argument, width, site);
  memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, Site site = Site::here()) {
  return shuffled(WarpOperation::shuffleXor, mask, value, lanes, width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, Site site = Site::here()) {
  return shuffled(WarpOperation::shuffleUp, mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, Site site = Site::here()) {
  return shuffled(WarpOperation::shuffleDown, mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, Site site = Site::here()) {
  return shuffled(WarpOperation::shuffle, mask, value, lane, width, site);
}

}  // namespace td::emulated::words
