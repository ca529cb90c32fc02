// Which reactor gets the next connection, without any ring.

#include <gtest/gtest.h>

#include <vector>

#include "06-server/lib/engine/connection_balance.hpp"

namespace lab {
namespace {

using Candidate = ReactorChoice::Candidate;

TEST(ReactorChoice, RoundRobinLeavesOutWhoHasNoCredit) {
  ReactorChoice choice(ConnectionBalance::round_robin);
  std::vector<Candidate> all{{.credits = 1}, {.credits = 0}, {.credits = 2}};
  EXPECT_EQ(choice.pick(all), 0U);
  EXPECT_EQ(choice.pick(all), 2U);
  EXPECT_EQ(choice.pick(all), 0U);
  all[1].credits = 1;
  EXPECT_EQ(choice.pick(all), 1U);
}

TEST(ReactorChoice, WhoSleepsIsTakenOnlyWhenNobodyElseCan) {
  ReactorChoice choice(ConnectionBalance::fewest);
  std::vector<Candidate> all{{.credits = 9, .awake = false}, {.credits = 1, .connections = 100}};
  EXPECT_EQ(choice.pick(all), 1U);
  all[1].credits = 0;
  EXPECT_EQ(choice.pick(all), 0U);
}

TEST(ReactorChoice, OfEqualOnesTheNext) {
  ReactorChoice choice(ConnectionBalance::fewest);
  std::vector<Candidate> all{{.credits = 9, .connections = 3}, {.credits = 9, .connections = 3}};
  EXPECT_EQ(choice.pick(all), 0U);
  EXPECT_EQ(choice.pick(all), 1U);
  EXPECT_EQ(choice.pick(all), 0U);
  all[0].connections = 4;
  EXPECT_EQ(choice.pick(all), 1U);
  EXPECT_EQ(choice.pick(all), 1U);
}

}  // namespace
}  // namespace lab
