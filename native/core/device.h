// A device: memory with a hard limit, and programs that it runs. Nothing above asks which one it is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/handles.h"

namespace td {

class File;
class Program;

// What a device makes of a finished program.
class Executable {
 public:
  virtual ~Executable() = default;
  // Runs one step; returns when all its streams are done. Throws Failure. `abort` may be null.
  virtual void run(const std::atomic<bool>* abort) = 0;
};

class Buffer : public Object {
 public:
  virtual uint8_t* data() const = 0;
  virtual int64_t size() const = 0;
  virtual bool readOnly() const { return false; }
  // Whether the host may follow data(): it is an address of the device's.
  virtual bool isHost() const { return true; }
  // The file behind it, if it is a window on one.
  virtual File* file() const { return nullptr; }
};

class Device : public Object {
 public:
  virtual const std::string& name() const = 0;
  virtual int64_t property(int32_t property) const = 0;
  // See td_device_limit().
  virtual double limit(int32_t kind, int32_t milliseconds) = 0;
  virtual int32_t activationType(int32_t weightType) const = 0;
  // The work memory that a program with such an operation takes, in bytes. The sizes have been checked.
  virtual int64_t workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const = 0;
  virtual int64_t workBytesOfAttention(int heads, int kvHeads, int headSize) const = 0;
  virtual int64_t workBytesOfSelect(int64_t rows, int64_t vocabulary) const = 0;
  virtual int64_t workBytesOfPick(int64_t rows, int64_t vocabulary) const = 0;
  virtual std::shared_ptr<Buffer> allocate(int64_t bytes) = 0;
  // Memory of the host that the device reaches too.
  virtual std::shared_ptr<Buffer> allocateShared(int64_t bytes) = 0;
  virtual std::shared_ptr<Buffer> window(std::shared_ptr<File> file, int64_t offset, int64_t bytes) = 0;
  virtual void write(Buffer& buffer, int64_t offset, const void* source, int64_t bytes) = 0;
  virtual void read(const Buffer& buffer, int64_t offset, void* destination, int64_t bytes) = 0;
  // See td_tensor_load(); the arguments have been checked.
  virtual void load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
                    int64_t bufferOffset, int32_t targetType, td_layout layout) = 0;
  virtual std::unique_ptr<Executable> compile(const Program& program) = 0;
};

// Counts a device's bytes against its limit.
class MemoryAccount {
 public:
  MemoryAccount(std::string device, int64_t limit) : device_(std::move(device)), limit_(limit) {}
  void take(int64_t bytes);
  void give(int64_t bytes) { used_.fetch_sub(bytes); }
  int64_t used() const { return used_.load(); }
  int64_t peak() const { return peak_.load(); }
  int64_t limit() const { return limit_; }

 private:
  std::string device_;
  int64_t limit_;
  std::atomic<int64_t> used_{0}, peak_{0};
};

}  // namespace td
