#include "01-core/lib/timer.hpp"

#include <cerrno>

#include "01-core/lib/cancel.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t one_hour = 3'600'000 * millisecond;

TEST(Timer, FiresOnceAndNotTooEarly) {
  Ring ring;
  Recorder<Timer> timer;
  ring.run_once(0);
  const std::uint64_t start = ring.now_ns();
  timer.operation.start(ring, 20 * millisecond);
  run_until_disarmed(ring, timer);
  ASSERT_EQ(timer.cqes.size(), 1U);
  EXPECT_EQ(timer.cqes[0].res, -ETIME);
  EXPECT_FALSE(timer.cqes[0].more());
  EXPECT_GE(ring.now_ns() - start, 20 * millisecond);
}

TEST(Timer, CanBeStartedAgain) {
  Ring ring;
  Recorder<Timer> timer;
  for (std::size_t round = 1; round <= 3; ++round) {
    timer.operation.start(ring, round * millisecond);
    run_until_disarmed(ring, timer);
    ASSERT_EQ(timer.cqes.size(), round);
    EXPECT_EQ(timer.cqes.back().res, -ETIME);
  }
}

TEST(Timer, EachHasItsOwnTime) {
  Ring ring;
  Recorder<Timer> late, early;
  late.operation.start(ring, one_hour);
  early.operation.start(ring, 5 * millisecond);
  run_until_disarmed(ring, early);
  EXPECT_TRUE(late.cqes.empty());
  Recorder<Cancel> cancel;
  cancel.operation.start(ring, late.operation);
  run_until(ring, [&] { return ring.armed_count() == 0; });
}

TEST(Timer, MultishotTicksUntilCancelled) {
  Ring ring;
  Recorder<Timer> timer;
  ring.run_once(0);
  const std::uint64_t start = ring.now_ns();
  timer.operation.start_multishot(ring, 5 * millisecond);
  run_until_count(ring, timer, 1);
  if (timer.cqes[0].res == -EINVAL) {
    GTEST_SKIP() << "multishot timeouts came with Linux 6.4";
  }
  run_until_count(ring, timer, 4);
  EXPECT_GE(ring.now_ns() - start, 4 * 5 * millisecond);
  for (std::size_t tick = 0; tick < 4; ++tick) {
    EXPECT_EQ(timer.cqes[tick].res, -ETIME);
    EXPECT_TRUE(timer.cqes[tick].more()) << "tick " << tick;
    EXPECT_TRUE(timer.armed[tick]);
  }
  Recorder<Cancel> cancel;
  cancel.operation.start(ring, timer.operation);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(cancel.cqes.at(0).res, 0);
  EXPECT_EQ(timer.cqes.back().res, -ECANCELED);
  EXPECT_FALSE(timer.cqes.back().more());
}

TEST(Timer, CancelledBeforeItsTime) {
  Ring ring;
  Recorder<Timer> timer;
  Recorder<Cancel> cancel;
  timer.operation.start(ring, one_hour);
  cancel.operation.start(ring, timer.operation);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  ASSERT_EQ(timer.cqes.size(), 1U);
  EXPECT_EQ(timer.cqes[0].res, -ECANCELED);
}

TEST(Timer, SplitsNanosecondsIntoATimespec) {
  Ring ring({.sq_entries = 8, .disabled = true});  // nothing is submitted: the SQE can be read
  Recorder<Timer> timer;
  timer.operation.start(ring, 90'001'500'000'007);
  const io_uring_sqe& sqe = ring.raw()->sq.sqes[0];
  const auto* time = reinterpret_cast<const __kernel_timespec*>(sqe.addr);
  EXPECT_EQ(time->tv_sec, 90'001);
  EXPECT_EQ(time->tv_nsec, 500'000'007);
  EXPECT_EQ(sqe.off, 0U) << "a count would end it after other completions";
  ring.deliver(timer.operation, {.res = -ECANCELED, .flags = 0});
}

}  // namespace
}  // namespace lab
