// The course of a run: operations a second at even intervals, in a fixed number of samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lab {

/// When it is full it keeps every second sample and goes on with twice the interval, so a day has
/// as many points as a minute.
class Timeline {
 public:
  explicit Timeline(double interval_s = 0.1) : interval_s_(interval_s) {
    totals_.reserve(size_max);
  }

  double interval_s() const noexcept { return interval_s_; }
  /// When the next sample is due, in seconds from the beginning.
  double due_s() const noexcept { return interval_s_ * static_cast<double>(totals_.size() + 1); }

  /// @param operations all of them until now
  void add(std::uint64_t operations) noexcept {
    totals_.push_back(operations);
    if (totals_.size() < size_max) return;
    for (std::size_t place = 0; place < size_max / 2; ++place) {
      totals_[place] = totals_[2 * place + 1];
    }
    totals_.resize(size_max / 2);
    interval_s_ *= 2;
  }

  std::size_t size() const noexcept { return totals_.size(); }
  /// In the interval that ends at (place + 1) * interval_s().
  double per_second(std::size_t place) const noexcept {
    const std::uint64_t before = place == 0 ? 0 : totals_[place - 1];
    return static_cast<double>(totals_[place] - before) / interval_s_;
  }

 private:
  static constexpr std::size_t size_max = 1024;

  double interval_s_;
  std::vector<std::uint64_t> totals_;
};

}  // namespace lab
