// The limit against a token bucket, which is what it says it is.
#include "06-server/lib/limits/rate_limit.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lab {
namespace {

constexpr std::uint64_t ms = 1'000'000;

TEST(RateLimit, ABurstAtOnceAndThenTheRate) {
  const RateLimit limit(10, 3);
  std::uint64_t due = 0;
  EXPECT_TRUE(limit.admit(due, 0));
  EXPECT_TRUE(limit.admit(due, 0));
  EXPECT_TRUE(limit.admit(due, 0));
  EXPECT_FALSE(limit.admit(due, 0));
  EXPECT_EQ(limit.wait_ns(due, 0), 100 * ms);
  EXPECT_FALSE(limit.admit(due, 100 * ms - 1));
  EXPECT_TRUE(limit.admit(due, 100 * ms));
  EXPECT_FALSE(limit.admit(due, 100 * ms));
}

TEST(RateLimit, RefusalsCostNothing) {
  const RateLimit limit(10, 1);
  std::uint64_t due = 0;
  EXPECT_TRUE(limit.admit(due, 0));
  for (unsigned i = 0; i < 1000; ++i) EXPECT_FALSE(limit.admit(due, 50 * ms));
  EXPECT_TRUE(limit.admit(due, 100 * ms));
}

TEST(RateLimit, WhatIsCountedWithoutAskingIsOwed) {
  const RateLimit limit(10, 2);
  std::uint64_t due = 0;
  for (unsigned i = 0; i < 7; ++i) due = limit.count(due, 0);
  EXPECT_EQ(limit.wait_ns(due, 0), 600 * ms);
}

// Both of integers, so that they may be asked to agree to the nanosecond: a token is an interval.
struct TokenBucket {
  std::uint64_t interval_ns;
  std::uint64_t full_ns;
  std::uint64_t level_ns = full_ns;
  std::uint64_t at_ns = 0;

  bool admit(std::uint64_t now_ns) {
    level_ns = std::min(full_ns, level_ns + (now_ns - at_ns));
    at_ns = now_ns;
    if (level_ns < interval_ns) return false;
    level_ns -= interval_ns;
    return true;
  }
};

TEST(RateLimit, DecidesAsATokenBucket) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const auto rate = static_cast<std::uint32_t>(1 + random() % 1000);
    const auto burst = static_cast<std::uint32_t>(1 + random() % 20);
    const RateLimit limit(rate, burst);
    const std::uint64_t interval_ns = 1'000'000'000 / rate;
    TokenBucket bucket{interval_ns, burst * interval_ns};
    // Every second clock wraps on its way.
    const std::uint64_t start = seed % 2 == 0 ? random() : 0 - random() % 10'000'000'000;
    std::uint64_t due = start;
    std::uint64_t passed = 0;
    for (unsigned step = 0; step < 500; ++step) {
      passed += random() % (2 * interval_ns);
      ASSERT_EQ(limit.admit(due, start + passed), bucket.admit(passed))
          << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace lab
