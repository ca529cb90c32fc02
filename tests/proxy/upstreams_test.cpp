// Who gets the next client.

#include "06-server/proxy/upstreams.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace lab {
namespace {

constexpr std::uint32_t rest = 200;

Upstreams three(Balance balance) { return Upstreams(std::vector<SocketAddress>(3), balance, rest); }

std::optional<std::size_t> pick(Upstreams& all, std::uint32_t now = 0) {
  Upstreams::Tried tried = 0;
  return all.pick(tried, now);
}

TEST(Upstreams, EachInTurn) {
  Upstreams all = three(Balance::round_robin);
  for (const std::size_t expected : {0U, 1U, 2U, 0U, 1U}) EXPECT_EQ(pick(all), expected);
}

TEST(Upstreams, OneClientIsSentToEachOnceAtTheMost) {
  Upstreams all = three(Balance::round_robin);
  Upstreams::Tried tried = 0;
  for (const std::size_t expected : {0U, 1U, 2U}) EXPECT_EQ(all.pick(tried, 0), expected);
  EXPECT_EQ(all.pick(tried, 0), std::nullopt);
}

TEST(Upstreams, TheFewestConnectionsAndThenInTurn) {
  Upstreams all = three(Balance::fewest);
  const Upstreams::Use first(all, 0);
  {
    const Upstreams::Use second(all, 1);
    EXPECT_EQ(pick(all), 2U);
    EXPECT_EQ(all.connections(1), 1U);
  }
  EXPECT_EQ(all.connections(1), 0U);
  EXPECT_EQ(pick(all), 1U);
  EXPECT_EQ(pick(all), 2U) << "of equals, the one whose turn it is";
}

TEST(Upstreams, WhoHasFailedIsLeftAloneForAWhile) {
  Upstreams all = three(Balance::round_robin);
  all.failed(1, 0);
  EXPECT_EQ(pick(all, 1), 0U);
  EXPECT_EQ(pick(all, 1), 2U);
  EXPECT_EQ(pick(all, 1), 0U);
  EXPECT_TRUE(all.rests(1));
  EXPECT_EQ(pick(all, rest), 1U);
  EXPECT_FALSE(all.rests(1));
}

TEST(Upstreams, WhereNobodyIsLeftThoseThatRestAreTried) {
  Upstreams all = three(Balance::fewest);
  all.failed(0, 0);
  all.failed(1, 0);
  Upstreams::Tried tried = 0;
  EXPECT_EQ(all.pick(tried, 1), 2U);
  EXPECT_EQ(all.pick(tried, 1), 0U);
  EXPECT_EQ(all.pick(tried, 1), 1U);
  all.succeeded(1);
  EXPECT_FALSE(all.rests(1));
}

// Ticks wrap after three years.
TEST(Upstreams, TheClockWraps) {
  Upstreams all = three(Balance::round_robin);
  const std::uint32_t late = ~std::uint32_t{0} - 10;
  all.failed(0, late);
  EXPECT_EQ(pick(all, late + 20), 1U);
  EXPECT_EQ(pick(all, late + rest), 2U);
  EXPECT_EQ(pick(all, late + rest), 0U);
}

}  // namespace
}  // namespace lab
