// Files that weights come from: read by position, or mapped for weights in plain layout.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/handles.h"

namespace td {

class File final : public Object {
 public:
  explicit File(const char* path);
  ~File() override;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }

  // Fails with TD_INVALID_ARGUMENT if bytes [offset, offset + bytes) are not all in the file as it was when it was
  // opened.
  void checkRange(int64_t offset, int64_t bytes) const;

  // Reads bytes [offset, offset + bytes). Fails with TD_FILE_CHANGED where the file has become shorter.
  void read(int64_t offset, int64_t bytes, uint8_t* destination) const;

  // The whole file in memory, mapped at the first call. Where the file shrinks later, reading finds zeros.
  const uint8_t* map();

  // Throws TD_FILE_CHANGED if a mapped page could not be read, or if the file is shorter than it was: the rest of its
  // last page reads as zeros without a fault. Once changed, always changed.
  void checkUnchanged();

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  std::mutex mutex_;
  uint8_t* mapping_ = nullptr;
  std::atomic<bool> changed_{false};
};

}  // namespace td
