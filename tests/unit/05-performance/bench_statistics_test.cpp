#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "05-performance/bench/statistics.hpp"

namespace lab {
namespace {

TEST(Median, OddEvenNone) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(BootstrapMedian, EqualValuesHaveNoWidth) {
  const MedianInterval result = bootstrap_median(std::vector<double>(15, 1.2));
  EXPECT_EQ(result.median, 1.2);
  EXPECT_EQ(result.low, 1.2);
  EXPECT_EQ(result.high, 1.2);
}

TEST(BootstrapMedian, RepeatsItself) {
  const std::vector<double> values{1.0, 1.1, 0.9, 1.3, 1.05, 0.95, 1.2};
  const MedianInterval first = bootstrap_median(values);
  const MedianInterval second = bootstrap_median(values);
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
  EXPECT_LE(first.low, first.median);
  EXPECT_GE(first.high, first.median);
}

// One round that a noisy machine spoilt does not move the median.
TEST(BootstrapMedian, AnOutlierDoesNotMatter) {
  std::vector<double> values(14, 1.1);
  values.push_back(50);
  EXPECT_EQ(bootstrap_median(values).median, 1.1);
  EXPECT_EQ(bootstrap_median(values).high, 1.1);
}

// The interval holds the true median about 95 times in 100.
TEST(BootstrapMedian, Covers) {
  std::mt19937 random(7);
  std::normal_distribution<double> noise(1.0, 0.1);
  int held = 0;
  constexpr int trials = 200;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(25);
    for (double& value : values) value = noise(random);
    const MedianInterval result = bootstrap_median(values, 500);
    held += result.low <= 1.0 && 1.0 <= result.high ? 1 : 0;
  }
  EXPECT_GE(held, trials * 88 / 100);
}

}  // namespace
}  // namespace lab
