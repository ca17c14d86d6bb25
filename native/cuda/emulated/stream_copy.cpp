// Copies and fills.
#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "cuda/emulated/checks.h"
#include "cuda/emulated/device.h"

namespace td::emulated {

// From one place to another; a place without an allocation is pageable memory of the host.
struct Stream::Copy {
  std::string what;
  Place to, from;
  std::byte* data = nullptr;  // where to
  const std::byte* source = nullptr;
  size_t bytes = 0;
  bool crossesLink = false;
  std::shared_ptr<std::vector<std::byte>> staged;  // what pageable memory held

  // A part of it.
  Copy part(size_t offset, size_t length) const {
    Copy result = *this;
    result.to.offset += offset;
    result.from.offset += offset;
    result.data += offset;
    result.source += offset;
    result.bytes = length;
    return result;
  }
};

namespace {

constexpr size_t kPiece = size_t{1} << 20;  // between two looks at whether to go on

Shadow* shadowOf(const Place& place) {
  return place.allocation == nullptr ? nullptr : place.allocation->shadow.get();
}

bool released(const Place& place) {
  return place.allocation != nullptr && place.allocation->released;
}

// What a copy does to what is known about its memory; returns what is wrong with it, or nothing. What was never written
// may be copied, and is as little written at its new place.
std::string shadowCopy(const Place& to, const Place& from, size_t bytes, const Moment& moment) {
  std::string wrong;
  const Shadow* source = shadowOf(from);
  if (source != nullptr) {
    wrong = checkRead(*source, from.offset, bytes, moment, false, "the source");
    from.allocation->shadow->claim({from.offset, from.offset + bytes, moment.stream, moment.first}, *moment.timeline);
  }
  Shadow* target = shadowOf(to);
  if (!wrong.empty() || target == nullptr) return wrong;
  wrong = checkWrite(*target, to.offset, bytes, moment, "the target");
  target->write(to.offset, bytes, stampOf(moment.first, 0, 0));
  if (source == nullptr) return wrong;
  source->survey(from.offset, bytes, [&](const Cell& cell, size_t begin, size_t end) {
    if (cell.written == 0) target->write(to.offset + begin - from.offset, end - begin, 0);
  });
  return wrong;
}

}  // namespace

// Waits as long as a slow link takes for a piece.
DeviceError Stream::crossLink(size_t bytes, bool first) const {
  const Faults& faults = device_.settings_.faults;
  std::chrono::duration<double> time(0);
  if (first) time += faults.linkLatency;
  if (faults.linkBytesPerSecond > 0) time += decltype(time)(static_cast<double>(bytes) / faults.linkBytesPerSecond);
  const auto end = std::chrono::steady_clock::now() + time;
  for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
    if (DeviceError error = interrupted()) return error;
    std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(end - now, std::chrono::milliseconds(1)));
  }
  return {};
}

DeviceError Stream::carryOut(const Copy& copy) {
  const Faults& faults = device_.settings_.faults;
  const auto fail = [&](const std::string& what) {
    return DeviceError(DeviceFault::copyFailed, copy.what + " of " + std::to_string(copy.bytes) + " bytes: " + what);
  };
  if (++device_.copies_ == faults.failCopy) return fail("copy " + std::to_string(faults.failCopy) + " is to fail");
  for (size_t at = 0; at < copy.bytes; at += kPiece) {
    if (DeviceError error = interrupted()) return error;
    const Copy piece = copy.part(at, std::min(kPiece, copy.bytes - at));
    if (piece.crossesLink) {
      if (DeviceError error = crossLink(piece.bytes, at == 0)) return error;
    }
    if (released(piece.to) || released(piece.from)) return fail("its memory has been released");
    if (device_.settings_.checked) {
      const std::lock_guard lock(device_.checking_);
      const std::string wrong = shadowCopy(piece.to, piece.from, piece.bytes, begin(1, copy.what));
      if (!wrong.empty()) return fail(wrong);
    }
    line_.happens([&] {
      std::byte* const to = piece.data;
      const std::byte* const from = piece.source;
      const size_t bytes = piece.bytes;
      const Seen seen;
      memmove(to, from, bytes);
    });
  }
  return {};
}

DeviceError Stream::putCopy(Copy copy) {
  if (copy.bytes == 0) return spoilt();
  const std::string what = copy.what;
  return put(what, [this, copy = std::move(copy)] { return carryOut(copy); });
}

DeviceError Stream::copyToDevice(DeviceAddress to, const void* from, int64_t bytes) {
  Copy copy;
  copy.what = "copy to device";
  if (DeviceError error = memory().find(to, bytes, copy.what, &copy.to)) return error;
  if (DeviceError error = memory().findHost(from, bytes, copy.what, &copy.from)) return error;
  copy.bytes = static_cast<size_t>(bytes);
  copy.crossesLink = true;
  copy.data = copy.to.data();
  copy.source = static_cast<const std::byte*>(from);
  const bool pinned = copy.from.allocation != nullptr, small = copy.bytes <= kPiece;
  if (!pinned && small) {
    copy.staged = std::make_shared<std::vector<std::byte>>(copy.source, copy.source + bytes);
    copy.source = copy.staged->data();
  }
  DeviceError error = putCopy(std::move(copy));
  return error || pinned || small ? error : synchronize();
}

DeviceError Stream::copyToHost(void* to, DeviceAddress from, int64_t bytes) {
  Copy copy;
  copy.what = "copy to host";
  if (DeviceError error = memory().find(from, bytes, copy.what, &copy.from)) return error;
  if (DeviceError error = memory().findHost(to, bytes, copy.what, &copy.to)) return error;
  copy.bytes = static_cast<size_t>(bytes);
  copy.crossesLink = true;
  copy.data = static_cast<std::byte*>(to);
  copy.source = copy.from.data();
  const bool pinned = copy.to.allocation != nullptr;
  DeviceError error = putCopy(std::move(copy));
  return error || pinned ? error : synchronize();
}

DeviceError Stream::copyWithin(DeviceAddress to, DeviceAddress from, int64_t bytes) {
  Copy copy;
  copy.what = "copy within device";
  if (DeviceError error = memory().find(to, bytes, copy.what, &copy.to)) return error;
  if (DeviceError error = memory().find(from, bytes, copy.what, &copy.from)) return error;
  copy.bytes = static_cast<size_t>(bytes);
  copy.data = copy.to.data();
  copy.source = copy.from.data();
  return putCopy(std::move(copy));
}

DeviceError Stream::fill(DeviceAddress address, uint8_t value, int64_t bytes) {
  Place place;
  if (DeviceError error = memory().find(address, bytes, "fill", &place)) return error;
  if (bytes == 0) return spoilt();
  return put("fill", [this, place, value, bytes = static_cast<size_t>(bytes)] {
    if (released(place)) return DeviceError(DeviceFault::copyFailed, "fill: its memory has been released");
    if (Shadow* shadow = shadowOf(place)) {
      const std::lock_guard lock(device_.checking_);
      const Moment moment = begin(1, "fill");
      const std::string wrong = checkWrite(*shadow, place.offset, bytes, moment, "the memory");
      if (!wrong.empty())
        return DeviceError(DeviceFault::copyFailed, "fill of " + std::to_string(bytes) + " bytes: " + wrong);
      shadow->write(place.offset, bytes, stampOf(moment.first, 0, 0));
    }
    line_.happens([&] {
      std::byte* const to = place.data();
      const uint8_t with = value;
      const size_t count = bytes;
      const Seen seen;
      memset(to, with, count);
    });
    return DeviceError();
  });
}

}  // namespace td::emulated
