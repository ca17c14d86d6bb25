// The SIGBUS guard among other handlers. Each case is a process of its own, because the handler is installed once per
// process; its exit code says how it went.
#include "core/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <numeric>

#include "temporary_file.h"

namespace td::testing {
namespace {

const int64_t kPage = sysconf(_SC_PAGESIZE);

// A mapped file without content.
class Hole {
 public:
  explicit Hole(int64_t pages) : bytes_(pages * kPage) {
    file_.resize(bytes_);
    data_ =
        static_cast<uint8_t*>(mmap(nullptr, static_cast<size_t>(bytes_), PROT_READ, MAP_SHARED, file_.descriptor(), 0));
    file_.resize(0);
  }
  ~Hole() { munmap(data_, static_cast<size_t>(bytes_)); }

  void guard() { BusGuard::add(data_, static_cast<size_t>(bytes_), &hit_); }
  void unguard() { BusGuard::remove(data_); }
  uint8_t read(int64_t page) const { return *const_cast<volatile uint8_t*>(data_ + page * kPage); }
  bool hit() const { return hit_; }

 private:
  TemporaryFile file_;
  int64_t bytes_;
  uint8_t* data_;
  std::atomic<bool> hit_{false};
};

class BusGuardTest : public ::testing::Test {
 protected:
  BusGuardTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // a fresh process each
};

bool diedOfBusError(int status) {
  // A sanitizer's own handler reports it and exits.
  return (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
         (kSanitizer && !(WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

constexpr int kOtherHandler = 42;

void installOtherHandler() {
  struct sigaction action{};
  action.sa_sigaction = [](int, siginfo_t*, void*) { _exit(kOtherHandler); };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

TEST_F(BusGuardTest, FillsHolesOfGuardedRanges) {
  std::vector<std::unique_ptr<Hole>> holes;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      holes.push_back(std::make_unique<Hole>(4));
      holes.back()->guard();
    }
    for (const auto& hole : holes) {
      EXPECT_EQ(0, hole->read(2));
      EXPECT_EQ(0, hole->read(0));
      EXPECT_EQ(0, hole->read(3));
      EXPECT_TRUE(hole->hit());
    }
    const Hole* untouched = holes.emplace_back(std::make_unique<Hole>(1)).get();
    holes.back()->guard();
    EXPECT_FALSE(untouched->hit());
    for (const auto& hole : holes) hole->unguard();
    holes.clear();
  }
}

// A process may have 65,530 mappings: a hole that is filled page by page in random order would need more.
TEST_F(BusGuardTest, FillsALargeHoleReadInRandomOrder) {
  constexpr int64_t kPages = 300'000;
  Hole hole(kPages);
  hole.guard();
  Random random("pages");
  for (int i = 0; i < 200'000; ++i) ASSERT_EQ(0, hole.read(random.between(0, kPages / 2) * 2 % kPages));
  EXPECT_TRUE(hole.hit());
  hole.unguard();
}

TEST_F(BusGuardTest, OtherFaultsReachTheHandlerOfBefore) {
  EXPECT_EXIT(
      {
        installOtherHandler();
        Hole guarded(2);
        guarded.guard();
        Hole other(2);
        guarded.read(1);
        other.read(1);
        _exit(1);
      },
      ::testing::ExitedWithCode(kOtherHandler), "");
}

TEST_F(BusGuardTest, ARangeThatIsRemovedIsNobodysAgain) {
  EXPECT_EXIT(
      {
        installOtherHandler();
        Hole hole(2);
        hole.guard();
        hole.unguard();
        hole.read(1);
        _exit(1);
      },
      ::testing::ExitedWithCode(kOtherHandler), "");
}

TEST_F(BusGuardTest, WithoutAnotherHandlerAFaultEndsTheProcess) {
  EXPECT_EXIT(
      {
        Hole guarded(1);
        guarded.guard();
        Hole other(1);
        other.read(0);
        _exit(0);
      },
      diedOfBusError, "");
}

TEST_F(BusGuardTest, ASignalThatSomebodySendsEndsTheProcessAsWithoutUs) {
  EXPECT_EXIT(
      {
        Hole guarded(1);
        guarded.guard();
        kill(getpid(), SIGBUS);
        _exit(0);
      },
      diedOfBusError, "");
}

TEST_F(BusGuardTest, ASignalThatSomebodySendsReachesTheHandlerOfBefore) {
  EXPECT_EXIT(
      {
        installOtherHandler();
        Hole guarded(1);
        guarded.guard();
        kill(getpid(), SIGBUS);
        _exit(1);
      },
      ::testing::ExitedWithCode(kOtherHandler), "");
}

TEST_F(BusGuardTest, IgnoredSignalsStayIgnoredAndTheGuardStays) {
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_IGN);
        Hole guarded(1);
        guarded.guard();
        kill(getpid(), SIGBUS);
        guarded.read(0);
        _exit(guarded.hit() ? 7 : 1);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace td::testing
