#include "06-server/lib/protocol/session/session_timers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace lab {
namespace {

struct Sleeper {
  SessionTimer timer;
  unsigned woken = 0;
  Waker waker() {
    return {this, [](void* self) noexcept { ++static_cast<Sleeper*>(self)->woken; }};
  }
};

// Counted ticks of an engine, which wrap.
class Wheel : public testing::TestWithParam<std::uint32_t> {
 protected:
  void pass(std::uint32_t ticks) {
    while (ticks-- > 0) timers.on_tick(++now);
  }
  SessionTimers timers;
  std::uint32_t now = GetParam();
};
INSTANTIATE_TEST_SUITE_P(From, Wheel, testing::Values(0U, 1000U, ~0U - 3, ~0U / 2 - 3));

TEST_P(Wheel, WakesEachOnceAndAtItsTick) {
  std::array<Sleeper, 600> all;
  for (std::uint32_t number = 0; number < all.size(); ++number) {
    timers.start(all[number].timer, now, now + number + 1, all[number].waker());
  }
  for (std::uint32_t tick = 0; tick < all.size(); ++tick) {
    EXPECT_EQ(all[tick].woken, 0U) << tick;
    pass(1);
    EXPECT_EQ(all[tick].woken, 1U) << tick;
  }
  EXPECT_EQ(timers.size(), 0U);
  pass(600);
  for (const Sleeper& one : all) EXPECT_EQ(one.woken, 1U);
}

TEST_P(Wheel, WakesThoseWhoseTickWasMissed) {
  std::array<Sleeper, 3> all;
  timers.start(all[0].timer, now, now + 2, all[0].waker());
  timers.start(all[1].timer, now, now + 300, all[1].waker());
  timers.start(all[2].timer, now, now + 5000, all[2].waker());
  now += 1000;
  timers.on_tick(now);
  EXPECT_EQ(all[0].woken, 1U);
  EXPECT_EQ(all[1].woken, 1U);
  EXPECT_EQ(all[2].woken, 0U);
  pass(4000);
  EXPECT_EQ(all[2].woken, 1U);
}

TEST_P(Wheel, WhoIsLateAlreadyWakesAtTheNextTick) {
  Sleeper one;
  Sleeper keeps_the_wheel_busy;
  timers.start(keeps_the_wheel_busy.timer, now, now + 1000, keeps_the_wheel_busy.waker());
  pass(10);
  timers.start(one.timer, now, now - 5, one.waker());
  EXPECT_EQ(one.woken, 0U);
  pass(1);
  EXPECT_EQ(one.woken, 1U);
  timers.stop(keeps_the_wheel_busy.timer);
}

TEST_P(Wheel, AStoppedOneIsNotWoken) {
  std::array<Sleeper, 3> all;
  for (Sleeper& one : all) timers.start(one.timer, now, now + 4, one.waker());
  EXPECT_EQ(all[1].timer.due(), now + 4);
  timers.stop(all[1].timer);
  timers.stop(all[1].timer);  // as often as one likes
  EXPECT_EQ(all[1].timer.due(), no_deadline);
  pass(5);
  EXPECT_EQ(all[0].woken, 1U);
  EXPECT_EQ(all[1].woken, 0U);
  EXPECT_EQ(all[2].woken, 1U);
}

TEST(WheelDeath, ATimerIsStoppedBeforeItDies) {
  EXPECT_DEATH(
      {
        SessionTimers timers;
        Sleeper one;
        timers.start(one.timer, 0, 5, one.waker());
      },
      "!armed_");
}

}  // namespace
}  // namespace lab
