// A file that is deleted at the end.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "testing.h"

namespace td::testing {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::vector<uint8_t>& content = {}) : path_(::testing::TempDir() + "tandem-XXXXXX") {
    descriptor_ = mkstemp(path_.data());
    EXPECT_GE(descriptor_, 0) << path_;
    write(content);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    close(descriptor_);
    unlink(path_.c_str());
  }

  const char* path() const { return path_.c_str(); }
  int descriptor() const { return descriptor_; }
  void write(const std::vector<uint8_t>& content) const {
    EXPECT_EQ(static_cast<ssize_t>(content.size()), pwrite(descriptor_, content.data(), content.size(), 0));
  }
  // Shrinks the file, or lets it grow with zeros that take no space.
  void resize(int64_t bytes) const { EXPECT_EQ(0, ftruncate(descriptor_, bytes)); }

 private:
  std::string path_;
  int descriptor_;
};

}  // namespace td::testing
