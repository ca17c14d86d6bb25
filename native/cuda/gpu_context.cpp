#include "cuda/gpu_context.h"

#include <cstring>

#include "core/status.h"

namespace td {
namespace {

std::string messageOf(const td_gpu_table& table) {
  char text[1024] = "";
  table.message(text, sizeof text);
  return text;
}

td_status statusOf(td_gpu_status status) {
  switch (status) {
    case TD_GPU_OUT_OF_MEMORY:
      return TD_OUT_OF_MEMORY;
    case TD_GPU_NONE:
      return TD_UNSUPPORTED;
    case TD_GPU_LOST:
      return TD_DEVICE_LOST;
    default:
      return TD_INTERNAL;
  }
}

}  // namespace

Gpu::Gpu(std::string name, const td_gpu_table& table, int32_t index, const std::string& settings)
    : name_(std::move(name)), table_(table) {
  check(table_.open(index, settings.c_str(), &handle_));
}

Gpu::~Gpu() {
  if (handle_ != nullptr) table_.close(handle_);
}

void Gpu::check(td_gpu_status status) const {
  if (status == TD_GPU_OK) return;
  const std::string message = messageOf(table_);
  // Where no device is open yet the message names it.
  if (handle_ == nullptr) fail(statusOf(status), "%s", message.c_str());
  fail(statusOf(status), "%s: %s", name_.c_str(), message.c_str());
}

GpuEvent::GpuEvent(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {
  gpu_->check(gpu_->table().event_create(gpu_->handle(), &handle_));
}

GpuEvent::~GpuEvent() {
  gpu_->table().event_destroy(handle_);
}

void GpuEvent::await() {
  gpu_->check(gpu_->table().await(handle_));
}

GpuStream::GpuStream(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {
  gpu_->check(gpu_->table().stream_create(gpu_->handle(), &handle_));
}

GpuStream::~GpuStream() {
  gpu_->table().stream_destroy(handle_);
}

void GpuStream::copy(uint64_t to, uint64_t from, int64_t bytes, td_gpu_direction direction) {
  gpu_->check(gpu_->table().copy(handle_, to, from, bytes, direction));
}

void GpuStream::fill(uint64_t address, uint8_t value, int64_t bytes) {
  gpu_->check(gpu_->table().fill(handle_, address, value, bytes));
}

void GpuStream::record(const GpuEvent& event) {
  gpu_->check(gpu_->table().record(handle_, event.handle()));
}

void GpuStream::wait(const GpuEvent& event) {
  gpu_->check(gpu_->table().wait(handle_, event.handle()));
}

void GpuStream::call(void (*function)(void*), void* argument) {
  gpu_->check(gpu_->table().call(handle_, function, argument));
}

void GpuStream::synchronize() {
  gpu_->check(gpu_->table().synchronize(handle_));
}

bool GpuStream::settle() noexcept {
  return gpu_->table().synchronize(handle_) == TD_GPU_OK;
}

PinnedMemory::PinnedMemory(std::shared_ptr<Gpu> gpu, int64_t bytes) : gpu_(std::move(gpu)), bytes_(bytes) {
  if (bytes == 0) return;
  gpu_->check(gpu_->table().allocate_pinned(gpu_->handle(), bytes, &memory_));
  memset(memory_, 0, static_cast<size_t>(bytes));
}

PinnedMemory::~PinnedMemory() {
  if (memory_ != nullptr) gpu_->table().release_pinned(gpu_->handle(), memory_);
}

}  // namespace td
