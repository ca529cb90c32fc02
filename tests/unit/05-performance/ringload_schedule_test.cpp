#include <gtest/gtest.h>

#include "05-performance/ringload/schedule.hpp"

namespace lab {
namespace {

TEST(Schedule, MessagesAreEvenlySpaced) {
  const Schedule schedule(1000, 1e6, 4);
  EXPECT_EQ(schedule.due_ns(0), 1000U);
  EXPECT_EQ(schedule.due_ns(1), 2000U);
  EXPECT_EQ(schedule.due_ns(1'000'000), 1'000'001'000U);
}

TEST(Schedule, MessagesGoRoundTheConnections) {
  const Schedule schedule(0, 1000, 3);
  EXPECT_EQ(schedule.connection_of(0), 0U);
  EXPECT_EQ(schedule.connection_of(4), 1U);
  // The third message of connection 1 is number 7 of all.
  EXPECT_EQ(schedule.due_ns(1, 2), schedule.due_ns(7));
}

// A rate whose interval is no whole number of nanoseconds must not drift.
TEST(Schedule, DoesNotDrift) {
  const Schedule schedule(0, 300'000, 1);
  constexpr std::uint64_t day_s = 86'400;
  EXPECT_NEAR(static_cast<double>(schedule.due_ns(300'000 * day_s)), 1e9 * day_s, 100.0);
}

TEST(Schedule, SlowerThanOneASecond) {
  const Schedule schedule(5, 0.5, 1);
  EXPECT_EQ(schedule.due_ns(1), 2'000'000'005U);
}

}  // namespace
}  // namespace lab
