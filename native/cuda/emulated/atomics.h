// CUDA's atomics, relaxed as they are there; real ones, because other streams and the host may use the same words.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace td::emulated {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

// Replaces *p by next(*p); returns what it was. Checked views have the same for what &view[i] gives.
template <class T, class Next>
T atomicUpdate(T* p, Next next) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics are of 32 or 64 bits");
  auto* bits = reinterpret_cast<BitsOf<T>*>(p);
  BitsOf<T> old = __atomic_load_n(bits, __ATOMIC_RELAXED), wanted;
  do {
    wanted = std::bit_cast<BitsOf<T>>(next(std::bit_cast<T>(old)));
  } while (!__atomic_compare_exchange_n(bits, &old, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return std::bit_cast<T>(old);
}

namespace words {

// Of a pointer, or of what &view[i] gives.
template <class Pointer>
using Pointee = typename std::pointer_traits<Pointer>::element_type;

template <class Pointer, class T = Pointee<Pointer>>
T atomicAdd(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) {
    if constexpr (std::is_integral_v<T>) {  // which wraps around
      using Unsigned = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value));
    } else {
      return old + value;
    }
  });
}
template <class Pointer, class T = Pointee<Pointer>>
T atomicMax(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) { return old > value ? old : value; });
}
template <class Pointer, class T = Pointee<Pointer>>
T atomicMin(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) { return old < value ? old : value; });
}
template <class Pointer, class T = Pointee<Pointer>>
T atomicOr(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) { return static_cast<T>(old | value); });
}
template <class Pointer, class T = Pointee<Pointer>>
T atomicAnd(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) { return static_cast<T>(old & value); });
}
template <class Pointer, class T = Pointee<Pointer>>
T atomicExch(Pointer p, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T) { return value; });
}
// Returns what was there, which is `expected` if it now is `value`.
template <class Pointer, class T = Pointee<Pointer>>
T atomicCAS(Pointer p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return atomicUpdate(p, [=](T old) { return old == expected ? value : old; });
}

}  // namespace words
}  // namespace td::emulated
