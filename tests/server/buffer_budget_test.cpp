// How buffers are shared out, without a ring.
#include "06-server/lib/engine/buffer_budget.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

using Grant = BufferBudget::Grant;

constexpr std::uint32_t count = 64;
constexpr std::uint32_t reserve = 8;

TEST(BufferBudget, TheReserveIsAnEighthAndAtLeastFour) {
  EXPECT_EQ(BufferBudget(2048, 16384).reserve(), 256U);
  EXPECT_EQ(BufferBudget(8, 16384).reserve(), 4U);
}

TEST(BufferBudget, ABiteIsNeverMoreThanABuffer) {
  EXPECT_EQ(BufferBudget(8, 64).bite(), 64U);
  EXPECT_EQ(BufferBudget(8, 16384).bite(), BufferBudget::bite_max);
}

TEST(BufferBudget, FewBuffersAreAlwaysScarce) {
  EXPECT_TRUE(BufferBudget(255, 1024).scarce(255));
  EXPECT_FALSE(BufferBudget(256, 1024).scarce(256));
}

TEST(BufferBudget, WhatMultishotsMayTakeIsSpokenForUntilTheTurnEnds) {
  BufferBudget budget(2048, 16384);
  std::uint32_t granted = 0;
  while (!budget.scarce(2048)) granted += budget.grant_multishot();
  EXPECT_EQ(granted, 2048U - budget.reserve() + budget.grant_multishot());
  budget.begin_turn();
  EXPECT_FALSE(budget.scarce(2048));
}

TEST(BufferBudget, WhoHasTwoReceivesGetsHalfForEach) {
  EXPECT_EQ(BufferBudget(2048, 16384, 2).grant_multishot(),
            BufferBudget(2048, 16384).grant_multishot() / 2);
  EXPECT_EQ(BufferBudget(8, 64, 2).grant_multishot(), 1U);
}

TEST(BufferBudget, TheShareShrinksWithWhatIsFree) {
  EXPECT_EQ(BufferBudget::cap(2048), 64U);
  EXPECT_EQ(BufferBudget::cap(320), 10U);
  EXPECT_EQ(BufferBudget::cap(0), 2U);
  EXPECT_TRUE(BufferBudget::over_high_water(11, 320));
  EXPECT_FALSE(BufferBudget::over_high_water(10, 320));
  EXPECT_TRUE(BufferBudget::below_low_water(5, 320));
  EXPECT_FALSE(BufferBudget::below_low_water(6, 320));
}

TEST(BufferBudget, ZeroCopyIsForWhenHalfIsFree) {
  const BufferBudget budget(count, 1024);
  EXPECT_TRUE(budget.may_send_zero_copy(0, count / 2));
  EXPECT_FALSE(budget.may_send_zero_copy(0, count / 2 - 1));
  EXPECT_FALSE(budget.may_send_zero_copy(1, count));
}

TEST(BufferBudget, WholeBuffersLeaveTheReserve) {
  BufferBudget budget(count, 1024);
  auto round = budget.begin_grants(reserve + 2, 100);
  EXPECT_EQ(round.next(true, 100), Grant::whole);
  EXPECT_EQ(round.next(true, 100), Grant::whole);
  EXPECT_EQ(round.next(true, 100), Grant::later);
}

TEST(BufferBudget, WhoHasNothingUnreadGetsABite) {
  BufferBudget budget(count, 1024);
  auto round = budget.begin_grants(count, 100);
  EXPECT_EQ(round.next(false, 100), Grant::bite);
}

TEST(BufferBudget, AWholeOneIsWaitedForTwoTicks) {
  BufferBudget budget(count, 1024);
  budget.note_free(count, 100);
  EXPECT_EQ(budget.begin_grants(reserve, 101).next(true, 101), Grant::later);
  EXPECT_EQ(budget.begin_grants(reserve, 102).next(true, 102), Grant::bite);
}

TEST(BufferBudget, NobodyWaitsLongerThanThatThoughSomeAreHome) {
  BufferBudget budget(count, 1024);
  auto round = budget.begin_grants(reserve + 1, 102);
  EXPECT_EQ(round.next(true, 102), Grant::whole);
  EXPECT_EQ(round.next(true, 100), Grant::bite);
}

TEST(BufferBudget, NeverMoreGrantsThanBuffers) {
  BufferBudget budget(count, 1024);
  auto round = budget.begin_grants(3, 100);
  for (unsigned grant = 0; grant < 3; ++grant) EXPECT_EQ(round.next(false, 100), Grant::bite);
  EXPECT_EQ(round.next(false, 100), Grant::none);
}

TEST(BufferBudget, WhereABiteIsABufferThereIsNoReserve) {
  BufferBudget budget(count, 64);
  EXPECT_EQ(budget.begin_grants(1, 100).next(true, 100), Grant::whole);
}

}  // namespace
}  // namespace lab
