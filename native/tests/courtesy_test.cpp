// Courtesy: when a worker rests, for how long, and when it stops to.
#include "core/courtesy.h"

#include "testing.h"

namespace td::testing {
namespace {

constexpr int64_t kStart = 7'000'000'000;

TEST(CourtesyTest, NobodyRestsBeforeACoreIsLost) {
  const Courtesy courtesy;
  for (const int64_t now : {int64_t{0}, Courtesy::kVisit, kStart, 1000 * kStart}) {
    EXPECT_FALSE(courtesy.wantsRest(now)) << now;
  }
}

TEST(CourtesyTest, OneLossIsNothingTwoInShortOrderAre) {
  Courtesy courtesy;
  for (int64_t now = kStart; now < 2 * kStart; now += Courtesy::kAgain) {
    courtesy.lostCore(now);
    ASSERT_FALSE(courtesy.wantsRest(now));
  }
  courtesy.lostCore(3 * kStart);
  courtesy.lostCore(3 * kStart + Courtesy::kAgain - 1);
  EXPECT_TRUE(courtesy.wantsRest(3 * kStart + Courtesy::kAgain - 1));
}

TEST(CourtesyTest, RestsAtOnceThenBetweenVisitsUntilTheWhileIsOver) {
  Courtesy courtesy;
  courtesy.lostCore(kStart - 1);
  courtesy.lostCore(kStart);
  int64_t now = kStart;
  int rests = 0;
  while (courtesy.wantsRest(now)) {
    EXPECT_EQ(Courtesy::kShortestRest, courtesy.restNanos());
    now += courtesy.restNanos();
    courtesy.rested(now);
    EXPECT_FALSE(courtesy.wantsRest(now + Courtesy::kVisit - 1));
    now += Courtesy::kVisit;
    ++rests;
  }
  EXPECT_EQ(Courtesy::kShortestWhile / (Courtesy::kShortestRest + Courtesy::kVisit), rests);
  EXPECT_GE(now, kStart + Courtesy::kShortestWhile);
}

// When the courtesy that begins with a loss at `now` ends, if nothing more happens.
int64_t lengthAfter(Courtesy courtesy, int64_t now) {
  int64_t length = 0;
  while (courtesy.wantsRest(now + length)) length += 1'000'000;
  return length;
}

TEST(CourtesyTest, AWhileIsTwiceAsLongAsTheLastIfItEndedJustNow) {
  Courtesy courtesy;
  courtesy.lostCore(kStart - 1);
  int64_t now = kStart;
  for (int64_t expected = Courtesy::kShortestWhile;; expected = std::min(2 * expected, Courtesy::kLongestWhile)) {
    courtesy.lostCore(now);
    ASSERT_EQ(expected, lengthAfter(courtesy, now));
    if (expected == Courtesy::kLongestWhile && now > kStart + 3 * Courtesy::kLongestWhile) break;
    now += expected + 4'000'000;  // the scheduler's next slice
  }
  now += 2 * Courtesy::kLongestWhile;  // nobody wanted the core for as long as the courtesy had lasted
  courtesy.lostCore(now);
  EXPECT_EQ(0, lengthAfter(courtesy, now));
  courtesy.lostCore(now + 1);
  EXPECT_EQ(Courtesy::kShortestWhile, lengthAfter(courtesy, now + 1));
}

TEST(CourtesyTest, RestsAreLongerWhereVisitsAreInterrupted) {
  Courtesy courtesy;
  courtesy.lostCore(kStart - 1);
  courtesy.lostCore(kStart);
  for (int64_t expected = Courtesy::kShortestRest; expected < Courtesy::kLongestRest; expected *= 2) {
    ASSERT_EQ(expected, courtesy.restNanos());
    courtesy.lostCore(kStart + 1'000'000);
  }
  courtesy.lostCore(kStart + 1'000'000);
  EXPECT_EQ(Courtesy::kLongestRest, courtesy.restNanos());
  EXPECT_EQ(Courtesy::kShortestWhile, lengthAfter(courtesy, kStart)) << "the while stays as it was";
  courtesy.lostCore(kStart + Courtesy::kShortestWhile);
  EXPECT_EQ(Courtesy::kShortestRest, courtesy.restNanos()) << "a new while begins with short rests";
}

}  // namespace
}  // namespace td::testing
