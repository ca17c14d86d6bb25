// Launches: is the kernel given what a GPU would take, and then its blocks.
#include "cuda/emulated/checks.h"
#include "cuda/emulated/device.h"
#include "cuda/emulated/launch.h"

namespace td::emulated {
namespace {

std::string sizeText(dim3 size) {
  return std::to_string(size.x) + " x " + std::to_string(size.y) + " x " + std::to_string(size.z);
}

// As a GPU refuses it: the stream goes on.
DeviceError checkSizes(const Launch& launch) {
  const auto refuse = [&](const std::string& what) {
    return DeviceError(DeviceFault::invalidArgument, launch.kernel + ": " + what);
  };
  const dim3 grid = launch.grid, block = launch.block;
  if (block.volume() == 0 || block.volume() > kMostThreads || block.z > 64) {
    return refuse("blocks of " + sizeText(block) + " threads; there must be 1 to 1024, in z up to 64");
  }
  if (grid.volume() == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) {
    return refuse("a grid of " + sizeText(grid) + " blocks; there must be one, and up to 2147483647 x 65535 x 65535");
  }
  if (launch.dynamicShared > kMostShared) {
    return refuse(std::to_string(launch.dynamicShared) + " bytes of dynamic shared memory; at most 98304");
  }
  return {};
}

}  // namespace

DeviceError Stream::launch(std::unique_ptr<QueuedLaunch> queued) {
  Launch& launch = queued->launch;
  if (DeviceError error = spoilt()) return error;
  if (DeviceError error = checkSizes(launch)) return error;
  if (queued->checked != device_.settings_.checked) {
    return {DeviceFault::invalidArgument, launch.kernel + ": compiled with " + (queued->checked ? "checked" : "raw") +
                                              " views, but emulated:" + std::to_string(device_.settings_.index) +
                                              " was opened for " + (device_.settings_.checked ? "checked" : "raw") +
                                              " ones"};
  }
  if (queued->error) {  // a GPU would find out when the kernel runs, and the stream would be spoilt
    const DeviceError error(DeviceFault::kernelFailed, launch.kernel + ": " + queued->error.message());
    DeviceError refused = put(launch.kernel, [error] { return error; });
    return refused ? refused : error;
  }
  const int64_t failFrom = device_.settings_.faults.failLaunchesFrom;
  if (++device_.launches_ == failFrom) {
    device_.spoil({DeviceFault::kernelFailed,
                   launch.kernel + ": launch " + std::to_string(failFrom) + " is to fail, and all calls after it"});
  }
  launch.order = order_;
  launch.seed = seed_;
  std::shared_ptr<QueuedLaunch> shared = std::move(queued);
  return put(launch.kernel, [this, shared] { return run(*shared); });
}

Moment Stream::begin(uint64_t blocks, const std::string& what) {
  if (!device_.settings_.checked) return {};
  return device_.timeline_.begin(number_, underWay_->host, blocks, what);
}

namespace {

// What can be said of the arguments as a whole, before the first block.
std::string checkArguments(QueuedLaunch& queued) {
  const Moment& moment = queued.launch.moment;
  for (const auto& named : queued.memory) {
    const std::string& name = named->window.name;
    Allocation& allocation = *named->place.allocation;
    if (allocation.released) return name + " has been released before the kernel began";
    if (moment.timeline == nullptr || allocation.shadow == nullptr) continue;
    Shadow& shadow = *allocation.shadow;
    const size_t offset = named->place.offset;
    if (named->readOnly) {
      const std::string wrong = checkRead(shadow, offset, named->bytes, moment, true, name);
      if (!wrong.empty()) return wrong;
      shadow.claim({offset, offset + named->bytes, moment.stream, moment.first}, *moment.timeline);
    } else if (!named->constant) {
      named->window.claims = claimsAgainst(shadow, offset, named->bytes, moment);
    }
  }
  return "";
}

}  // namespace

DeviceError Stream::run(QueuedLaunch& queued) {
  Launch& launch = queued.launch;
  std::string wrong;
  {
    std::unique_lock lock(device_.checking_, std::defer_lock);
    if (queued.checked) lock.lock();
    launch.moment = begin(launch.grid.volume(), "kernel " + launch.kernel);
    wrong = checkArguments(queued);
    if (!wrong.empty()) {
      wrong = launch.kernel + ": " + wrong;
    } else {
      line_.happens([&] { wrong = device_.crew_.run(launch, block_); });
    }
  }
  return wrong.empty() ? DeviceError() : DeviceError(DeviceFault::kernelFailed, std::move(wrong));
}

}  // namespace td::emulated
