// How a worker behaves on a core that somebody else wants too.
//
// The scheduler takes the core for a slice of milliseconds, wherever the worker is: within a chunk of tens of
// microseconds, for which all others then wait. So a worker that finds its core taken twice in a row gives it up of its
// own accord for a while, between two chunks: it comes for short visits, which the scheduler, owing it time, lets it
// end, and rests in between. The while grows as long as the core is still wanted at its end.
#pragma once

#include <algorithm>
#include <cstdint>

namespace td {

// One worker's; all times in nanoseconds of one clock.
class Courtesy {
 public:
  static constexpr int64_t kAgain = 60'000'000;  // two losses within it: somebody is there to stay
  static constexpr int64_t kVisit = 500'000;
  static constexpr int64_t kShortestRest = 500'000, kLongestRest = 16'000'000;
  static constexpr int64_t kShortestWhile = 50'000'000, kLongestWhile = 1'000'000'000;

  // The core was taken for a good part of the time. Once is nothing: commands come and go. Being polite did not help if
  // it happened meanwhile: then rests become longer.
  void lostCore(int64_t now) {
    if (now < until_) {
      rest_ = std::min(2 * rest_, kLongestRest);
      return;
    }
    const bool soonAfterWhile = now < until_ + while_, again = now < lost_ + kAgain;
    lost_ = now;
    if (!soonAfterWhile && !again) return;
    while_ = soonAfterWhile ? std::min(2 * while_, kLongestWhile) : kShortestWhile;
    until_ = now + while_;
    rest_ = kShortestRest;
    visitSince_ = now - kVisit;
  }

  bool wantsRest(int64_t now) const { return now < until_ && now - visitSince_ >= kVisit; }
  int64_t restNanos() const { return rest_; }
  void rested(int64_t now) { visitSince_ = now; }

 private:
  int64_t lost_ = -kAgain, until_ = 0, while_ = 0, rest_ = kShortestRest, visitSince_ = 0;
};

}  // namespace td
