// When new clients are refused, by a clock of the test's.
#include "06-server/lib/limits/delay_limit.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

constexpr std::uint64_t ms_ns = 1'000'000;
constexpr std::uint64_t tick = 25 * ms_ns;

// A worker whose ticks come late by what the test says.
class Worker {
 public:
  explicit Worker(std::uint64_t limit_ms, std::uint64_t start_ns = 77'000 * ms_ns)
      : limit(limit_ms * ms_ns, tick), now_ns(start_ns) {
    limit.start(now_ns);
  }
  bool refuses_after(std::uint64_t delay_ns) {
    now_ns += tick + delay_ns;
    limit.tick(now_ns);
    return limit.refuses();
  }

  DelayLimit limit;
  std::uint64_t now_ns;
};

TEST(DelayLimit, APunctualWorkerRefusesNobody) {
  Worker worker(5);
  for (unsigned time = 0; time < 1000; ++time) ASSERT_FALSE(worker.refuses_after(time % 2 * ms_ns));
}

TEST(DelayLimit, ADelayAtTheLimitIsNoneAboveIt) {
  Worker worker(5);
  for (unsigned time = 0; time < 100; ++time) ASSERT_FALSE(worker.refuses_after(5 * ms_ns));
  EXPECT_EQ(worker.limit.delay_ns(), 5 * ms_ns);
}

TEST(DelayLimit, ADelayThatStaysForAnIntervalRefuses) {
  Worker worker(5);
  const std::uint64_t delay = 6 * ms_ns;
  const std::uint64_t first_late = worker.now_ns + tick + delay;
  while (!worker.refuses_after(delay)) {
    ASSERT_LT(worker.now_ns - first_late, DelayLimit::interval_ns);
  }
  EXPECT_GE(worker.now_ns - first_late, DelayLimit::interval_ns);
  EXPECT_TRUE(worker.refuses_after(delay)) << "as long as it stays";
}

TEST(DelayLimit, OneHiccupHoweverLongIsHarmless) {
  Worker worker(5);
  EXPECT_FALSE(worker.refuses_after(3000 * ms_ns));
  EXPECT_FALSE(worker.refuses_after(0));
  EXPECT_FALSE(worker.refuses_after(3000 * ms_ns));
  EXPECT_TRUE(worker.refuses_after(3000 * ms_ns)) << "two in a row are none";
}

TEST(DelayLimit, OneTickInTimeEndsIt) {
  Worker worker(5);
  while (!worker.refuses_after(50 * ms_ns)) {
  }
  EXPECT_FALSE(worker.refuses_after(5 * ms_ns));
}

TEST(DelayLimit, TheSameOverloadIsKnownAgainAtOnceAndForgottenInASecond) {
  Worker worker(5);
  while (!worker.refuses_after(50 * ms_ns)) {
  }
  EXPECT_FALSE(worker.refuses_after(0));
  EXPECT_TRUE(worker.refuses_after(6 * ms_ns)) << "it is the same one";
  for (std::uint64_t calm = 0; calm < DelayLimit::memory_ns; calm += tick) {
    EXPECT_FALSE(worker.refuses_after(0));
  }
  EXPECT_FALSE(worker.refuses_after(50 * ms_ns)) << "it is another one";
}

TEST(DelayLimit, TwoTicksOfOneTurnAreOne) {
  Worker worker(5);
  while (!worker.refuses_after(50 * ms_ns)) {
  }
  worker.limit.tick(worker.now_ns);
  EXPECT_TRUE(worker.limit.refuses()) << "no time has passed, so nothing is known";
}

TEST(DelayLimit, TheClockMayWrap) {
  Worker worker(5, ~std::uint64_t{0} - 60 * ms_ns);
  EXPECT_FALSE(worker.refuses_after(0));
  EXPECT_FALSE(worker.refuses_after(50 * ms_ns));
  EXPECT_LT(worker.now_ns, 100 * ms_ns);
  EXPECT_FALSE(worker.refuses_after(20 * ms_ns));
  while (!worker.refuses_after(50 * ms_ns)) ASSERT_LT(worker.now_ns, 500 * ms_ns);
}

TEST(DelayLimit, AStartForgetsAll) {
  Worker worker(5);
  while (!worker.refuses_after(50 * ms_ns)) {
  }
  worker.now_ns += 5000 * ms_ns;
  worker.limit.start(worker.now_ns);
  EXPECT_FALSE(worker.limit.refuses());
  EXPECT_FALSE(worker.refuses_after(0)) << "the first tick is due one tick after it";
  EXPECT_FALSE(worker.refuses_after(50 * ms_ns)) << "there was no overload before";
}

}  // namespace
}  // namespace lab
