#include "cuda/emulated/launch.h"

namespace td::emulated {

std::string kernelName(std::string_view function) {
  constexpr std::string_view kMark = "kernel = ";
  const size_t from = function.find(kMark) + kMark.size();
  // Its name ends where the brackets are all closed; and begins behind the namespaces.
  size_t end = from, begin = from;
  int depth = 0;
  for (; end < function.size(); ++end) {
    const char c = function[end];
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (depth < 0 || (depth == 0 && (c == ';' || c == ',' || c == ']'))) break;
    if (depth == 0 && (c == ':' || c == '&')) begin = end + 1;
  }
  return std::string(function.substr(begin, end - begin));
}

const NamedMemory* QueuedLaunch::name(const Memory& from, const Named& what, int index) {
  if (what.count == 0) return nullptr;
  auto named = std::make_unique<NamedMemory>();
  const std::string text = what.name != nullptr ? what.name : "argument " + std::to_string(index);
  const auto refuse = [&](DeviceError why) {
    if (!error) error = std::move(why);
    return nullptr;
  };
  const auto elementBytes = static_cast<int64_t>(what.elementBytes);
  if (what.count < 0 || what.count > INT64_MAX / elementBytes) {
    return refuse({DeviceFault::invalidArgument, text + ": " + std::to_string(what.count) + " elements"});
  }
  if (DeviceError wrong = from.find(what.address, what.count * elementBytes, text, &named->place)) return refuse(wrong);
  if (what.address % what.alignment != 0) {
    return refuse({DeviceFault::invalidArgument,
                   text + ": misaligned, its address is not divisible by " + std::to_string(what.alignment)});
  }
  named->bytes = static_cast<size_t>(what.count) * what.elementBytes;
  named->readOnly = what.readOnly;
  named->constant = what.constant;
  Shadow* shadow = what.readOnly ? nullptr : named->place.allocation->shadow.get();
  named->window = {named->place.data(), what.count, what.elementBytes, shadow, named->place.offset, false, text, {}};
  memory.push_back(std::move(named));
  return memory.back().get();
}

}  // namespace td::emulated
