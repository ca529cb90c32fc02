#include "01-core/lib/cancel.hpp"

#include <array>
#include <cerrno>

#include "01-core/lib/timer.hpp"
#include "tests/unit/support.hpp"

namespace lab {
namespace {

constexpr std::uint64_t hour = 3'600'000'000'000;

TEST(Cancel, EndsItsTargetAndNothingElse) {
  Ring ring;
  Recorder<Timer> target, bystander;
  Recorder<Cancel> cancel;
  target.operation.start(ring, hour);
  bystander.operation.start(ring, hour);
  ring.run_once(0);
  cancel.operation.start(ring, target.operation);
  run_until(ring, [&] { return !target.operation.armed() && !cancel.operation.armed(); });
  EXPECT_EQ(cancel.cqes.at(0).res, 0);
  EXPECT_EQ(target.cqes.at(0).res, -ECANCELED);
  EXPECT_TRUE(bystander.cqes.empty());

  cancel.operation.start(ring, bystander.operation);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(bystander.cqes.at(0).res, -ECANCELED);
}

TEST(Cancel, FindsNothingWhenTheTargetHasJustEnded) {
  Ring ring;
  Recorder<> target;
  Recorder<Cancel> cancel;
  // The no-op completes while it is submitted; its CQE is not seen yet, so it still counts as
  // armed.
  arm_nop(ring, target.operation);
  cancel.operation.start(ring, target.operation);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(target.cqes.at(0).res, 0);
  EXPECT_EQ(cancel.cqes.at(0).res, -ENOENT);
}

TEST(Cancel, BothCompletionsMayComeInEitherOrder) {
  Ring ring({.sq_entries = 8, .disabled = true});
  Recorder<Timer> target;
  Recorder<Cancel> cancel;

  target.operation.start(ring, hour);
  cancel.operation.start(ring, target.operation);
  ring.deliver(cancel.operation, {.res = 0, .flags = 0});
  EXPECT_FALSE(cancel.operation.armed());
  EXPECT_TRUE(target.operation.armed());
  ring.deliver(target.operation, {.res = -ECANCELED, .flags = 0});
  EXPECT_EQ(ring.armed_count(), 0U);

  target.operation.start(ring, hour);
  cancel.operation.start(ring, target.operation);
  ring.deliver(target.operation, {.res = -ECANCELED, .flags = 0});
  EXPECT_FALSE(target.operation.armed());
  EXPECT_TRUE(cancel.operation.armed());
  ring.deliver(cancel.operation, {.res = 0, .flags = 0});
  EXPECT_EQ(ring.armed_count(), 0U);
}

TEST(Cancel, AllEndsEverythingAndCountsIt) {
  Ring ring;
  std::array<Recorder<Timer>, 5> timers;
  for (auto& timer : timers) timer.operation.start(ring, hour);
  ring.run_once(0);
  Recorder<Cancel> cancel;
  cancel.operation.start_all(ring);
  run_until(ring, [&] { return ring.armed_count() == 0; });
  EXPECT_EQ(cancel.cqes.at(0).res, 5);
  for (auto& timer : timers) EXPECT_EQ(timer.cqes.at(0).res, -ECANCELED);
}

TEST(Cancel, AllOnAnIdleRingFindsNone) {
  Ring ring;
  Recorder<Cancel> cancel;
  cancel.operation.start_all(ring);
  run_until_disarmed(ring, cancel);
  EXPECT_EQ(cancel.cqes.at(0).res, 0);
}

TEST(CancelUntilFound, IsStartedOnceAndAsNewWhenBothHaveEnded) {
  Ring ring;
  Recorder<Timer> target;
  Recorder<CancelUntilFound> cancel;
  cancel.operation.pursue(ring, target.operation);
  EXPECT_FALSE(cancel.operation.armed());  // nothing to end
  for (unsigned round = 0; round < 2; ++round) {
    target.operation.start(ring, hour);
    ring.run_once(0);
    EXPECT_FALSE(cancel.operation.joined(target.operation));
    cancel.operation.pursue(ring, target.operation);
    cancel.operation.pursue(ring, target.operation);
    run_until(ring, [&] { return ring.armed_count() == 0; });
    cancel.operation.note(cancel.cqes.at(round));
    EXPECT_EQ(cancel.cqes.at(round).res, 0);
    EXPECT_TRUE(cancel.operation.joined(target.operation));
  }
  EXPECT_EQ(cancel.cqes.size(), 2U);
}

TEST(CancelUntilFound, IsRepeatedOnlyUntilItFound) {
  Ring ring;
  Recorder<Timer> target;
  Recorder<CancelUntilFound> cancel;
  target.operation.start(ring, hour);
  ring.run_once(0);
  cancel.operation.note({.res = 0, .flags = 0});
  cancel.operation.pursue(ring, target.operation);
  EXPECT_FALSE(cancel.operation.armed());
  cancel.operation.note({.res = -ENOENT, .flags = 0});
  cancel.operation.pursue(ring, target.operation);
  EXPECT_TRUE(cancel.operation.armed());
  run_until(ring, [&] { return ring.armed_count() == 0; });
}

TEST(CancelDeathTest, OnlyWhatIsArmed) {
  EXPECT_DEATH(
      {
        Ring ring;
        Recorder<Timer> target;
        Recorder<Cancel> cancel;
        cancel.operation.start(ring, target.operation);
      },
      "LAB_ASSERT\\(target.armed\\(\\)\\)");
}

}  // namespace
}  // namespace lab
