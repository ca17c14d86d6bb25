// What every function of the C boundary does: look its handles up, and let no exception across.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>

#include "core/device.h"
#include "tandem.h"

namespace td {

struct Flag final : Object {
  std::atomic<bool> raised{false};
};

struct BufferHandle final : Object {
  BufferHandle(std::shared_ptr<Device> owner, std::shared_ptr<Buffer> memory)
      : device(std::move(owner)), buffer(std::move(memory)) {}
  std::shared_ptr<Device> device;
  std::shared_ptr<Buffer> buffer;
};

// They live as long as the process: threads of the JVM may still call while statics are destroyed.
Handles& handles();

std::shared_ptr<BufferHandle> bufferOf(int64_t handle);

// Keeps the message for td_error_message of this thread. Returns the status as functions do: negative.
int64_t failed(td_status status, const char* message);

// Runs a body that returns int64_t, and turns whatever it throws into a negative status.
template <class Body>
int64_t guarded(Body body) {
  try {
    return body();
  } catch (const Failure& failure) {
    return failed(failure.status(), failure.what());
  } catch (const std::bad_alloc&) {
    return failed(TD_OUT_OF_MEMORY, "out of memory");
  } catch (const std::system_error& refusal) {
    return failed(TD_OUT_OF_MEMORY, refusal.what());  // of a thread
  } catch (const std::exception& exception) {
    return failed(TD_INTERNAL, exception.what());
  }
}

}  // namespace td
