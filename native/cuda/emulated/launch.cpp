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

const NamedMemory* QueuedLaunch::name(const Memory& from, DeviceAddress address, int64_t count, size_t elementBytes,
                                      const char* name, int index, bool readOnly, bool constant) {
  if (count == 0) return nullptr;
  auto named = std::make_unique<NamedMemory>();
  const std::string text = name != nullptr ? name : "argument " + std::to_string(index);
  const int64_t most = INT64_MAX / static_cast<int64_t>(elementBytes);
  DeviceError wrong = count < 0 || count > most
                          ? DeviceError(DeviceFault::invalidArgument, text + ": " + std::to_string(count) + " elements")
                          : from.find(address, count * static_cast<int64_t>(elementBytes), text, &named->place);
  if (wrong) {
    if (!error) error = wrong;
    return nullptr;
  }
  named->bytes = static_cast<size_t>(count) * elementBytes;
  named->readOnly = readOnly;
  named->constant = constant;
  Shadow* shadow = readOnly ? nullptr : named->place.allocation->shadow.get();
  named->window = {named->place.data(), count, elementBytes, shadow, named->place.offset, false, text, {}};
  memory.push_back(std::move(named));
  return memory.back().get();
}

}  // namespace td::emulated
