#include "06-server/lib/engine/zero_copy_policy.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

constexpr std::uint32_t threshold = 16384;

unsigned wanted_of(ZeroCopyPolicy& policy, unsigned sends) {
  unsigned wanted = 0;
  for (unsigned send = 0; send < sends; ++send) wanted += policy.wanted(threshold) ? 1U : 0U;
  return wanted;
}

void report(ZeroCopyPolicy& policy, unsigned times, bool copied) {
  for (unsigned time = 0; time < times; ++time) policy.report(copied);
}

TEST(ZeroCopyPolicy, BeginsWithTheFirstSendThatIsLargeEnough) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  EXPECT_FALSE(policy.wanted(threshold - 1));
  EXPECT_TRUE(policy.wanted(threshold));
  EXPECT_TRUE(policy.wanted(threshold + 1));
}

TEST(ZeroCopyPolicy, AThresholdOfZeroTakesEverySend) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, 0);
  EXPECT_TRUE(policy.wanted(1));
}

TEST(ZeroCopyPolicy, IsOffAfterSixCopiedOfTheLastEight) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  report(policy, 5, true);
  EXPECT_FALSE(policy.off());
  EXPECT_TRUE(policy.wanted(threshold));
  report(policy, 2, false);
  report(policy, 1, true);
  EXPECT_TRUE(policy.off()) << "six copied of eight";
  EXPECT_FALSE(policy.wanted(threshold));
}

TEST(ZeroCopyPolicy, ForgetsReportsOlderThanEight) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  for (unsigned round = 0; round < 100; ++round) {
    report(policy, 5, true);
    report(policy, 3, false);
    EXPECT_FALSE(policy.off()) << "never six of any eight in a row, round " << round;
  }
}

TEST(ZeroCopyPolicy, WhileOffOneSendIn1024IsAProbe) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  report(policy, 8, true);
  EXPECT_EQ(wanted_of(policy, 1023), 0U);
  EXPECT_EQ(wanted_of(policy, 1), 1U);
  EXPECT_EQ(wanted_of(policy, 10 * 1024), 10U);
}

TEST(ZeroCopyPolicy, SmallSendsAreNeverProbesAndDoNotCount) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  report(policy, 8, true);
  for (unsigned send = 0; send < 5000; ++send) EXPECT_FALSE(policy.wanted(threshold - 1));
  EXPECT_EQ(wanted_of(policy, 1023), 0U);
  EXPECT_EQ(wanted_of(policy, 1), 1U);
}

TEST(ZeroCopyPolicy, ComesBackWhenProbesAreNotCopied) {
  ZeroCopyPolicy policy(ZeroCopyMode::automatic, threshold);
  report(policy, 8, true);
  for (unsigned probe = 0; probe < 3; ++probe) {
    EXPECT_TRUE(policy.off()) << "before probe " << probe;
    EXPECT_EQ(wanted_of(policy, 1024), 1U);
    policy.report(false);
  }
  EXPECT_FALSE(policy.off()) << "five copied of eight";
  EXPECT_EQ(wanted_of(policy, 100), 100U);
}

TEST(ZeroCopyPolicy, AlwaysIsAlwaysAboveTheThreshold) {
  ZeroCopyPolicy policy(ZeroCopyMode::always, threshold);
  report(policy, 100, true);
  EXPECT_EQ(wanted_of(policy, 100), 100U);
}

TEST(ZeroCopyPolicy, NeverIsNever) {
  ZeroCopyPolicy policy(ZeroCopyMode::never, 0);
  report(policy, 100, false);
  EXPECT_EQ(wanted_of(policy, 5000), 0U);
}

}  // namespace
}  // namespace lab
