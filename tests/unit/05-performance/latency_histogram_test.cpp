#include "05-performance/lib/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lab {
namespace {

constexpr std::uint64_t hour = 3'600'000'000'000;

// What the histogram approximates: the smallest value that `percent` of them do not exceed.
std::uint64_t exact(const std::vector<std::uint64_t>& sorted, double percent) {
  const double rank = std::ceil(percent * static_cast<double>(sorted.size()) / 100.0);
  return sorted[std::max<std::size_t>(1, static_cast<std::size_t>(rank)) - 1];
}

TEST(LatencyHistogram, EmptyIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
  EXPECT_EQ(histogram.percentile(50), 0U);
}

TEST(LatencyHistogram, OneValueIsEveryPercentile) {
  for (const std::uint64_t value : std::vector<std::uint64_t>{0, 1, 63, 64, 65, 1'000'003, hour}) {
    LatencyHistogram histogram;
    histogram.record(value);
    for (const double percent : {0.0, 0.1, 50.0, 99.99, 100.0}) {
      EXPECT_EQ(histogram.percentile(percent), value) << percent;
    }
    EXPECT_EQ(histogram.min(), value);
    EXPECT_EQ(histogram.max(), value);
    EXPECT_EQ(histogram.mean(), static_cast<double>(value));
  }
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (std::uint64_t value = 0; value < 64; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(0), 0U);
  EXPECT_EQ(histogram.percentile(25), 15U);
  EXPECT_EQ(histogram.percentile(50), 31U);
  EXPECT_EQ(histogram.percentile(75), 47U);
  EXPECT_EQ(histogram.percentile(100), 63U);
}

TEST(LatencyHistogram, PercentilesAreWithinABucketOfTheTruth) {
  std::mt19937_64 random(20240607);
  std::lognormal_distribution<double> long_tail(11.0, 1.5);
  std::uniform_int_distribution<std::uint64_t> uniform(0, 4 * hour);
  std::uniform_int_distribution<unsigned> magnitude(0, 43);
  const auto check = [](std::vector<std::uint64_t> values) {
    LatencyHistogram histogram;
    for (const std::uint64_t value : values) histogram.record(value);
    std::sort(values.begin(), values.end());
    for (const double percent : {0.01, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
      const std::uint64_t truth = exact(values, percent);
      const std::uint64_t told = histogram.percentile(percent);
      EXPECT_GE(told, truth) << percent;
      EXPECT_LE(static_cast<double>(told), static_cast<double>(truth) * 1.016) << percent;
    }
    EXPECT_EQ(histogram.percentile(100), values.back());
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.count(), values.size());
    double sum = 0;
    for (const std::uint64_t value : values) sum += static_cast<double>(value);
    EXPECT_NEAR(histogram.mean() / (sum / static_cast<double>(values.size())), 1.0, 1e-9);
  };
  // A prime count: no rank falls on a border, where rounding alone would decide.
  constexpr int count = 100'003;
  std::vector<std::uint64_t> values(count);
  for (auto& value : values) value = static_cast<std::uint64_t>(long_tail(random));
  check(values);
  for (auto& value : values) value = uniform(random);
  check(values);
  for (auto& value : values) value = random() >> (63 - magnitude(random));
  check(values);
}

TEST(LatencyHistogram, EveryPowerOfTwoAndItsNeighbours) {
  for (unsigned shift = 1; shift < 44; ++shift) {
    for (const std::uint64_t value : {(std::uint64_t{1} << shift) - 1, std::uint64_t{1} << shift,
                                      (std::uint64_t{1} << shift) + 1}) {
      LatencyHistogram histogram;
      histogram.record(value);
      histogram.record(0);
      histogram.record(std::numeric_limits<std::uint64_t>::max());  // neither end clamps `value`
      const std::uint64_t told = histogram.percentile(60);
      EXPECT_GE(told, value);
      EXPECT_LE(static_cast<double>(told), static_cast<double>(value) * 1.016) << value;
    }
  }
}

TEST(LatencyHistogram, HugeValuesAreKeptAsTheMaximum) {
  LatencyHistogram histogram;
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  histogram.record(1000);
  histogram.record(huge);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.max(), huge);
  EXPECT_GE(histogram.percentile(100), 4 * hour);
  EXPECT_LE(histogram.percentile(50), 1016U);
}

TEST(LatencyHistogram, PercentOutsideItsRangeIsClamped) {
  LatencyHistogram histogram;
  histogram.record(10);
  histogram.record(20);
  EXPECT_EQ(histogram.percentile(-5), 10U);
  EXPECT_EQ(histogram.percentile(250), 20U);
}

TEST(LatencyHistogram, MergedIsAsIfRecordedInOne) {
  std::mt19937_64 random(7);
  LatencyHistogram first, second, both;
  for (int count = 0; count < 10'000; ++count) {
    const std::uint64_t value = random() >> 30;
    (count % 3 == 0 ? first : second).record(value);
    both.record(value);
  }
  first.merge(second);
  EXPECT_EQ(first.count(), both.count());
  EXPECT_EQ(first.min(), both.min());
  EXPECT_EQ(first.max(), both.max());
  EXPECT_EQ(first.mean(), both.mean());
  for (double percent = 0; percent <= 100; percent += 0.5) {
    ASSERT_EQ(first.percentile(percent), both.percentile(percent)) << percent;
  }
}

TEST(LatencyHistogram, MergingAnEmptyOneChangesNothing) {
  LatencyHistogram histogram;
  histogram.record(5);
  histogram.merge(LatencyHistogram{});
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.min(), 5U);
  EXPECT_EQ(histogram.max(), 5U);
  LatencyHistogram empty;
  empty.merge(histogram);
  EXPECT_EQ(empty.min(), 5U);
  EXPECT_EQ(empty.percentile(50), 5U);
}

TEST(LatencyHistogram, AtMostCountsWhatIsNotLonger) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.at_most(1'000'000), 0U);
  for (const std::uint64_t value : {5U, 5U, 63U, 1000U, 1'000'000U}) histogram.record(value);
  EXPECT_EQ(histogram.at_most(4), 0U);
  EXPECT_EQ(histogram.at_most(5), 2U);
  EXPECT_EQ(histogram.at_most(62), 2U);
  EXPECT_EQ(histogram.at_most(63), 3U);
  EXPECT_EQ(histogram.at_most(900), 3U);
  EXPECT_EQ(histogram.at_most(1000), 4U);
  EXPECT_EQ(histogram.at_most(~std::uint64_t{0}), 5U);
}

}  // namespace
}  // namespace lab
