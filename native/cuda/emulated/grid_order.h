// Which blocks of a grid come before which. Nothing orders them, but for what they tell each other: a block that has
// fenced (__threadfence) and then uses an atomic in global memory comes before every block that uses it later. That is
// how the last block to finish learns that it may read what the others wrote.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace td::emulated {

class Shadow;

// For blocks that run one after another, as they do where views are checked.
class GridOrder {
 public:
  void begin() { told_.clear(); }
  void beginBlock() {
    fenced_ = false;
    before_.clear();
    heard_.clear();
  }

  void fence() { fenced_ = true; }

  // Block `serial` uses an atomic.
  void meet(const Shadow* shadow, size_t offset, uint64_t serial) {
    const auto at = std::pair(shadow, offset);
    const auto found = told_.find(at);
    if (found != told_.end()) {
      size_t& heard = heard_[at];
      for (; heard < found->second.size(); ++heard) before_.insert(found->second[heard]);
    }
    if (!fenced_) return;
    std::vector<uint64_t>& told = told_[at];
    if (told.empty() || told.back() != serial) told.push_back(serial);
  }

  bool isBefore(uint64_t serial) const { return before_.contains(serial); }

 private:
  using Place = std::pair<const Shadow*, size_t>;

  std::map<Place, std::vector<uint64_t>> told_;  // by whom, in their order
  std::map<Place, size_t> heard_;                // how many of these this block has heard of
  std::unordered_set<uint64_t> before_;
  bool fenced_ = false;
};

}  // namespace td::emulated
