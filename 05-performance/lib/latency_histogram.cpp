#include "05-performance/lib/latency_histogram.hpp"

#include <algorithm>
#include <cmath>

namespace lab {

void LatencyHistogram::merge(const LatencyHistogram& other) noexcept {
  for (std::size_t place = 0; place < size; ++place) buckets_[place] += other.buckets_[place];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
  min_ = std::min(min_, other.min_);
}

std::uint64_t LatencyHistogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  // The small part taken off keeps 99.9 % of 1000, which is 999.0000000000001 in binary, from
  // becoming 1000.
  const double total = static_cast<double>(count_);
  const double wanted = std::ceil(std::clamp(percent, 0.0, 100.0) * total / 100.0 - 1e-9 * total);
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t place = 0; place < size; ++place) {
    seen += buckets_[place];
    if (seen >= rank) return place + 1 == size ? max_ : std::clamp(upper_end(place), min_, max_);
  }
  return max_;
}

std::uint64_t LatencyHistogram::at_most(std::uint64_t nanoseconds) const noexcept {
  std::uint64_t seen = 0;
  for (std::size_t place = 0; place <= bucket(nanoseconds); ++place) seen += buckets_[place];
  return seen;
}

std::uint64_t LatencyHistogram::upper_end(std::size_t place) noexcept {
  if (place < linear) return place;
  const std::size_t shift = place / linear - 1;
  const std::uint64_t base = place % linear + linear;
  return ((base + 1) << shift) - 1;
}

}  // namespace lab
