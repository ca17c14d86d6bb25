// Objects that the C interface hands out as int64 handles. A handle is 32 bits of generation and 31 of index, so that a
// closed handle never names a later object; objects are shared, so that one in use by a program outlives its handle.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/status.h"

namespace td {

class Object {
 public:
  virtual ~Object() = default;
};

class Handles {
 public:
  int64_t add(std::shared_ptr<Object> object) {
    const std::lock_guard lock(mutex_);
    size_t index = slots_.size();
    if (free_.empty()) {
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    slots_[index].object = std::move(object);
    return static_cast<int64_t>(slots_[index].generation) << 31 | static_cast<int64_t>(index);
  }

  // The object of a handle; `what` names the expected kind in the error ("buffer").
  template <class T>
  std::shared_ptr<T> get(int64_t handle, const char* what) {
    std::shared_ptr<Object> object;
    {
      const std::lock_guard lock(mutex_);
      if (Slot* slot = find(handle)) object = slot->object;
    }
    auto result = std::dynamic_pointer_cast<T>(object);
    if (!result) fail(TD_INVALID_ARGUMENT, "handle %lld is no open %s", static_cast<long long>(handle), what);
    return result;
  }

  template <class T>
  void close(int64_t handle, const char* what) {
    const std::shared_ptr<T> kept = get<T>(handle, what);  // destroyed outside the lock
    const std::lock_guard lock(mutex_);
    Slot* slot = find(handle);
    if (slot == nullptr) return;  // somebody else closed it meanwhile
    slot->object.reset();
    ++slot->generation;
    free_.push_back(static_cast<size_t>(handle & 0x7fffffff));
  }

 private:
  struct Slot {
    std::shared_ptr<Object> object;
    uint32_t generation = 1;
  };

  Slot* find(int64_t handle) {
    const size_t index = static_cast<size_t>(handle & 0x7fffffff);
    if (handle <= 0 || index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.object && slot.generation == static_cast<uint32_t>(handle >> 31) ? &slot : nullptr;
  }

  std::mutex mutex_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
};

}  // namespace td
