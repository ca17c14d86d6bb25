#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/bus_guard.h"

namespace td {

File::File(const char* path) : path_(path) {
  descriptor_ = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait for a writer
  if (descriptor_ < 0) fail(TD_IO, "%s: cannot be opened: %s", path, strerror(errno));
  struct stat status{};
  const bool known = fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(TD_IO, "%s: is no regular file", path);
  }
  size_ = status.st_size;
}

File::~File() {
  if (mapping_ != nullptr) {
    BusGuard::remove(mapping_);
    munmap(mapping_, static_cast<size_t>(size_));
  }
  close(descriptor_);
}

void File::checkRange(int64_t offset, int64_t bytes) const {
  if (offset < 0 || bytes < 0 || offset > size_ - bytes) {
    fail(TD_INVALID_ARGUMENT, "%s: %lld bytes at offset %lld lie outside its %lld bytes", path_.c_str(),
         static_cast<long long>(bytes), static_cast<long long>(offset), static_cast<long long>(size_));
  }
}

void File::read(int64_t offset, int64_t bytes, uint8_t* destination) const {
  checkRange(offset, bytes);
  while (bytes > 0) {
    const ssize_t got = pread(descriptor_, destination, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(TD_IO, "%s: cannot be read: %s", path_.c_str(), strerror(errno));
    if (got == 0) {
      fail(TD_FILE_CHANGED, "%s: became shorter than %lld bytes while it was read; load the model again", path_.c_str(),
           static_cast<long long>(offset + bytes));
    }
    offset += got;
    bytes -= got;
    destination += got;
  }
}

const uint8_t* File::map() {
  const std::lock_guard lock(mutex_);
  if (mapping_ == nullptr && size_ > 0) {
    void* mapping = mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_SHARED, descriptor_, 0);
    if (mapping == MAP_FAILED) fail(TD_IO, "%s: cannot be mapped: %s", path_.c_str(), strerror(errno));
    mapping_ = static_cast<uint8_t*>(mapping);
    BusGuard::add(mapping_, static_cast<size_t>(size_), &changed_);
  }
  return mapping_;
}

void File::checkUnchanged() {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0 || status.st_size < size_) changed_.store(true, std::memory_order_relaxed);
  if (changed_.load(std::memory_order_relaxed)) {
    fail(TD_FILE_CHANGED,
         "%s: changed on disk while it was in use (became shorter, or could not be read); load the model again",
         path_.c_str());
  }
}

}  // namespace td
