// The median of a few noisy rounds, and how far it can be trusted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace lab {

/// The middle value, or the mean of the two in the middle. 0 for none.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  const auto at = [&](std::size_t place) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place),
                     values.end());
    return values[place];
  };
  const double upper = at(middle);
  return values.size() % 2 == 1 ? upper : (upper + at(middle - 1)) / 2;
}

/// A median and the interval that holds the true one with 95 % confidence.
struct MedianInterval {
  double median = 0;
  double low = 0;
  double high = 0;
};

/// Percentile bootstrap: draw as many values as there are, with replacement, many times; the middle
/// 95 % of those medians is the interval. The seed is fixed, so the same values give the same
/// interval. Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
inline MedianInterval bootstrap_median(const std::vector<double>& values,
                                       std::size_t resamples = 4000) {
  if (values.empty()) return {};
  std::mt19937_64 random(20240229);
  std::uniform_int_distribution<std::size_t> pick(0, values.size() - 1);
  std::vector<double> medians(resamples);
  std::vector<double> draw(values.size());
  for (double& result : medians) {
    for (double& value : draw) value = values[pick(random)];
    result = median(draw);
  }
  std::sort(medians.begin(), medians.end());
  const auto tail = static_cast<std::size_t>(0.025 * static_cast<double>(resamples));
  return {median(values), medians[tail], medians[resamples - 1 - tail]};
}

}  // namespace lab
