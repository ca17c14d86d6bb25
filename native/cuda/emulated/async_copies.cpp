#include "cuda/emulated/async_copies.h"

#include <cstring>

#include "cuda/emulated/checks.h"

namespace td::emulated {

void AsyncCopies::add(const CopyTarget& target, const std::byte* bytes, size_t count) {
  Copy copy{target, {}, count};
  memcpy(copy.bytes.data(), bytes, count);
  if (target.window != nullptr && target.window->shadow != nullptr) forgetShadow(*target.window, target.index, count);
  open_.push_back(copy);
}

void AsyncCopies::commit() {
  groups_.push_back(std::move(open_));
  open_.clear();
}

void AsyncCopies::await(size_t pending) {
  if (groups_.size() <= pending) return;
  const auto end = groups_.end() - static_cast<ptrdiff_t>(pending);
  for (auto group = groups_.begin(); group != end; ++group) {
    for (const Copy& copy : *group) {
      const CopyTarget& target = copy.target;
      if (target.window != nullptr) check(*target.window, target.index, copy.count, Access::write);
      memcpy(target.data, copy.bytes.data(), copy.count);
    }
  }
  groups_.erase(groups_.begin(), end);
}

void AsyncCopies::drop() {
  open_.clear();
  groups_.clear();
}

}  // namespace td::emulated
