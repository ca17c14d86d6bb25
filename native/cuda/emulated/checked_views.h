// Views that check every access.
#pragma once

#include <type_traits>

#include "cuda/emulated/checks.h"
#include "cuda/emulated/launch.h"

namespace td::checked {

using emulated::Access;
using emulated::Window;

template <class T>
class View;

// What &view[i] gives: for atomics and __ldg.
template <class T>
struct Address {
  const Window* window;
  ptrdiff_t index;

  T* data() const { return reinterpret_cast<T*>(window->data) + index; }
};

// What view[i] gives: a promise to check, and then to read or write. Its members are for temporaries alone: `auto x =
// view[i];` does not compile further down, where it would read later than it says.
template <class T>
class Element {
 public:
  using Value = std::remove_const_t<T>;

  Element(const Window* window, ptrdiff_t index) : at_{window, index} {}

  operator Value() && { return load(); }
  Value operator=(Value value) && { return store(value); }
  Value operator=(Element&& other) && { return store(other.load()); }  // a[i] = b[j]
  Value operator+=(Value value) && { return store(static_cast<Value>(load() + value)); }
  Value operator-=(Value value) && { return store(static_cast<Value>(load() - value)); }
  Value operator*=(Value value) && { return store(static_cast<Value>(load() * value)); }
  Address<T> operator&() && { return at_; }

 private:
  Value load() const {
    check(*at_.window, at_.index, sizeof(T), Access::read);
    return *at_.data();
  }
  Value store(Value value) const {
    check(*at_.window, at_.index, sizeof(T), Access::write);
    return *at_.data() = value;
  }

  Address<T> at_;
};

template <class T>
class View {
 public:
  View() = default;
  explicit View(const Window* window, ptrdiff_t offset = 0) : window_(window), offset_(offset) {}

  operator View<const T>() const { return View<const T>(window_, offset_); }
  explicit operator bool() const { return window_ != nullptr; }
  View operator+(ptrdiff_t i) const { return View(window_, offset_ + i); }
  View& operator+=(ptrdiff_t i) {
    offset_ += i;
    return *this;
  }
  Element<T> operator[](ptrdiff_t i) const {
    if (window_ == nullptr) [[unlikely]]
      emulated::failNull("access to an element");
    return {window_, offset_ + i};
  }

  // For wide accesses: checks `Wide` from element i on, and says where it is.
  template <class Wide>
  std::byte* checkedWide(ptrdiff_t i, Access access) const {
    if (window_ == nullptr) [[unlikely]]
      emulated::failNull("wide access");
    check(*window_, offset_ + i, sizeof(Wide), access);
    std::byte* at = window_->data + (offset_ + i) * static_cast<ptrdiff_t>(sizeof(T));
    if (reinterpret_cast<uintptr_t>(at) % alignof(Wide) != 0) [[unlikely]]
      emulated::failAlignment(*window_, offset_ + i, alignof(Wide), access);
    return at;
  }
  const Window* window() const { return window_; }
  ptrdiff_t offset() const { return offset_; }

 private:
  const Window* window_ = nullptr;
  ptrdiff_t offset_ = 0;
};

template <class T>
using Global = View<T>;
template <class T>
using Shared = View<T>;

template <class Wide, class T>
Wide loadAs(View<T> view, ptrdiff_t i) {
  Wide value;
  memcpy(&value, view.template checkedWide<Wide>(i, Access::read), sizeof value);
  return value;
}
template <class Wide, class T>
void storeAs(View<T> view, ptrdiff_t i, Wide value) {
  memcpy(view.template checkedWide<Wide>(i, Access::write), &value, sizeof value);
}
template <class T, class Member>
Member loadField(View<T> view, ptrdiff_t i, Member std::remove_const_t<T>::* member) {
  using Value = std::remove_const_t<T>;
  // Where the member lies, without an object of the type.
  alignas(Value) static const std::byte nowhere[sizeof(Value)] = {};
  const auto* object = reinterpret_cast<const Value*>(nowhere);
  const auto offset = reinterpret_cast<const std::byte*>(&(object->*member)) - nowhere;
  if (!view) [[unlikely]]
    emulated::failNull("access to a member");
  return emulated::loadChecked<Member>(*view.window(), view.offset() + i, static_cast<size_t>(offset));
}

template <class T>
std::remove_const_t<T> __ldg(Address<T> address) {
  return Element<T>(address.window, address.index);
}

// For asynchronous copies (tensor_core.h).
template <class Wide, class T>
emulated::CopyTarget placeFor(View<T> view, ptrdiff_t i) {
  return {view.template checkedWide<Wide>(i, Access::write), view.window(), view.offset() + i};
}

// For the atomics (atomics.h).
template <class T, class Next>
T atomicUpdate(Address<T> address, Next next) {
  check(*address.window, address.index, sizeof(T), Access::atomic);
  return emulated::atomicUpdate(address.data(), next);
}

struct Views {
  static constexpr bool kChecked = true;
  template <class T>
  using Shared = View<T>;

  template <class T>
  static View<T> global(const Window& window) {
    return View<T>(&window);
  }
  template <class T>
  static View<T> shared(const Window& window) {
    return View<T>(&window);
  }
};

}  // namespace td::checked
