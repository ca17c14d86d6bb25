// Views as plain pointers: for speed, and for the sanitizers to look at.
#pragma once

#include "cuda/emulated/launch.h"

namespace td::raw {

template <class T>
using Global = T*;
template <class T>
using Shared = T*;

// A wide access, as a GPU wants them: `Wide` from element i on, which must be aligned to it. (Kernels are compiled with
// -fno-strict-aliasing for this.)
template <class Wide, class T>
Wide loadAs(const T* view, ptrdiff_t i) {
  return *reinterpret_cast<const Wide*>(view + i);
}
template <class Wide, class T>
void storeAs(T* view, ptrdiff_t i, Wide value) {
  *reinterpret_cast<Wide*>(view + i) = value;
}
// One member of a structure.
template <class T, class Member>
Member loadField(const T* view, ptrdiff_t i, Member T::* member) {
  return view[i].*member;
}

// For asynchronous copies (tensor_core.h).
template <class Wide, class T>
emulated::CopyTarget placeFor(T* view, ptrdiff_t i) {
  return {reinterpret_cast<std::byte*>(view + i), nullptr, 0};
}

template <class T>
T __ldg(const T* p) {
  return *p;
}

struct Views {
  static constexpr bool kChecked = false;
  template <class T>
  using Shared = T*;

  template <class T>
  static T* global(const emulated::Window& window) {
    return reinterpret_cast<T*>(window.data);
  }
  template <class T>
  static T* shared(const emulated::Window& window) {
    return reinterpret_cast<T*>(window.data);
  }
};

}  // namespace td::raw
