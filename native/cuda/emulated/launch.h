// launch<Views, kernel>(grid, block, dynamicShared, stream, arguments...): puts a kernel into a stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "cuda/device_error.h"
#include "cuda/device_span.h"
#include "cuda/emulated/block.h"
#include "cuda/emulated/memory.h"
#include "cuda/emulated/stream.h"
#include "cuda/emulated/window.h"

namespace td::emulated {

// The memory that a launch names in its arguments.
struct NamedMemory {
  Place place;
  size_t bytes = 0;
  bool readOnly = false, constant = false;
  Window window;
};

// A launch with its arguments, until it has run.
class QueuedLaunch {
 public:
  virtual ~QueuedLaunch() = default;
  // What argument `index` names; null for no elements.
  struct Named {
    DeviceAddress address;
    int64_t count;
    size_t elementBytes, alignment;
    const char* name;
    bool readOnly, constant;
  };
  const NamedMemory* name(const Memory& from, const Named& named, int index);

  Launch launch;
  bool checked = false;
  std::vector<std::unique_ptr<NamedMemory>> memory;
  DeviceError error;  // of an argument
};

// "... [with ... auto kernel = td::raw::scale<4>; ...]": scale<4>.
std::string kernelName(std::string_view function);

template <class T>
struct SpanTraits {
  static constexpr bool isSpan = false;
};
template <class T>
struct SpanTraits<DeviceSpan<T>> {
  static constexpr bool isSpan = true, readOnly = false;
  using Element = T;
};
template <class T>
struct SpanTraits<ReadOnlySpan<T>> {
  static constexpr bool isSpan = true, readOnly = true;
  using Element = const T;
};

template <class Views, auto kernel, class... Parameters>
class BoundLaunch final : public QueuedLaunch {
 public:
  template <class... Arguments>
  BoundLaunch(const Memory& memory, const Arguments&... arguments)
      : values_{argument<Parameters>(memory, arguments)...} {
    launch.call = &call;
    launch.arguments = &values_;
    checked = Views::kChecked;
  }

 private:
  template <class Parameter, class Argument>
  Parameter argument(const Memory& memory, const Argument& argument) {
    const int index = index_++;
    using Traits = SpanTraits<Argument>;
    if constexpr (Traits::isSpan) {
      using Element = typename Traits::Element;
      const NamedMemory* named = name(memory,
                                      {.address = argument.address,
                                       .count = argument.count,
                                       .elementBytes = sizeof(Element),
                                       .alignment = alignof(Element),
                                       .name = argument.name,
                                       .readOnly = Traits::readOnly,
                                       .constant = std::is_const_v<Element>},
                                      index);
      if (named == nullptr) return Parameter{};
      return Views::template global<Element>(named->window);
    } else {
      static_assert(!std::is_pointer_v<Argument>,
                    "name memory by DeviceSpan or ReadOnlySpan: a kernel does not reach the host's");
      return static_cast<Parameter>(argument);
    }
  }

  static void call(const void* values) { std::apply(kernel, *static_cast<const std::tuple<Parameters...>*>(values)); }

  int index_ = 0;
  std::tuple<Parameters...> values_;  // after what their construction uses
};

template <class Views, auto kernel, class... Parameters, class... Arguments>
std::unique_ptr<QueuedLaunch> bindLaunch(void (*)(Parameters...), const Memory& memory, const Arguments&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "the kernel has another number of parameters");
  return std::make_unique<BoundLaunch<Views, kernel, Parameters...>>(memory, arguments...);
}

template <class Views, auto kernel, class... Arguments>
DeviceError launch(dim3 grid, dim3 block, size_t dynamicShared, Stream* stream, const Arguments&... arguments) {
  auto queued = bindLaunch<Views, kernel>(kernel, stream->memory(), arguments...);
  queued->launch.kernel = kernelName(__PRETTY_FUNCTION__);
  queued->launch.grid = grid;
  queued->launch.block = block;
  queued->launch.dynamicShared = dynamicShared;
  return stream->launch(std::move(queued));
}

}  // namespace td::emulated
