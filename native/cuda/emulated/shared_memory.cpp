#include "cuda/emulated/shared_memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "cuda/emulated/block.h"

namespace td::emulated {

void SharedMemory::Free::operator()(std::byte* data) const {
  std::free(data);
}

std::unique_ptr<SharedMemory::Array> SharedMemory::make(const void* key, size_t bytes) const {
  // Not rounded up, so that the address sanitizer sees the first byte behind it.
  void* data = nullptr;
  if (posix_memalign(&data, 128, bytes > 0 ? bytes : 1) != 0) throw std::bad_alloc();
  memset(data, 0xff, bytes);
  auto array = std::make_unique<Array>();
  array->key = key;
  array->bytes = bytes;
  array->data.reset(static_cast<std::byte*>(data));
  if (shadowed_) array->shadow = std::make_unique<Shadow>(bytes);
  return array;
}

void SharedMemory::begin(size_t dynamicBytes, bool shadowed) {
  arrays_.clear();
  dynamic_.reset();
  parts_.clear();
  dynamicBytes_ = dynamicBytes;
  staticBytes_ = 0;
  shadowed_ = shadowed;
}

void SharedMemory::beginBlock() {
  for (const auto& array : arrays_) memset(array->data.get(), 0xff, array->bytes);
  if (dynamic_ != nullptr) memset(dynamic_->data.get(), 0xff, dynamic_->bytes);
}

const Window& SharedMemory::array(const void* key, const char* name, size_t elementBytes, size_t count) {
  for (const auto& array : arrays_) {
    if (array->key == key) return array->window;
  }
  const Unseen unseen;
  staticBytes_ += elementBytes * count;
  if (staticBytes_ > kMostStaticShared) {
    current->block.fail("shared arrays take " + std::to_string(staticBytes_) + " bytes with " + name +
                        "; at most 49152 may be declared, more must be dynamic");
  }
  if (staticBytes_ + dynamicBytes_ > kMostShared) {
    current->block.fail("shared memory: " + std::to_string(staticBytes_) + " bytes declared and " +
                        std::to_string(dynamicBytes_) + " dynamic are more than 98304");
  }
  auto made = make(key, elementBytes * count);
  made->window = {made->data.get(), static_cast<int64_t>(count), elementBytes, made->shadow.get(), 0, true, name, {}};
  arrays_.push_back(std::move(made));
  return arrays_.back()->window;
}

const Window& SharedMemory::dynamic(size_t offset, size_t elementBytes, size_t count) {
  for (const auto& part : parts_) {
    if (part->shadowOffset == offset && part->elementBytes == elementBytes &&
        part->count == static_cast<int64_t>(count)) {
      return *part;
    }
  }
  const Unseen unseen;
  if (offset > dynamicBytes_ || elementBytes * count > dynamicBytes_ - offset) {
    current->block.fail("bytes " + std::to_string(offset) + " to " + std::to_string(offset + elementBytes * count) +
                        " of dynamic shared memory are used; the launch asked for " + std::to_string(dynamicBytes_));
  }
  if (dynamic_ == nullptr) dynamic_ = make(nullptr, dynamicBytes_);
  parts_.push_back(std::make_unique<Window>(Window{dynamic_->data.get() + offset,
                                                   static_cast<int64_t>(count),
                                                   elementBytes,
                                                   dynamic_->shadow.get(),
                                                   offset,
                                                   true,
                                                   "dynamic(byte " + std::to_string(offset) + ")",
                                                   {}}));
  return *parts_.back();
}

}  // namespace td::emulated
