// What a checked view looks at: elements in memory, with bounds and shadow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/emulated/shadow.h"

namespace td::emulated {

struct Window {
  std::byte* data = nullptr;
  int64_t count = 0;
  size_t elementBytes = 1;
  Shadow* shadow = nullptr;  // null: bounds only
  size_t shadowOffset = 0;   // of the window's first byte
  bool shared = false;
  std::string name;
  // What others read of this memory, unordered with the launch.
  std::vector<Claim> claims;
};

}  // namespace td::emulated
