// Counts durations in buckets whose width grows with the duration: 1.6 % wide, 1 ns to 4 hours, no
// allocation, no rounding that a percentile would show.
//   LatencyHistogram answers;                       // one per thread: there is no lock in it
//   answers.record(done_ns - due_ns);               // from when it was due, not from the send
//   all.merge(answers);                             // percentiles of all; never average them
//   const double p99_ms = static_cast<double>(all.percentile(99)) / 1e6;
// Lesson 05-09 builds it and says what to put into it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace lab {

/// A log-linear histogram of nanoseconds: 64 buckets per power of two. record() and merge() put in;
/// count(), min(), max() and mean() are exact; percentile() and at_most() are exact to a bucket.
/// About 20 KiB; a duration beyond the last bucket is counted in it, and max() still knows it.
class LatencyHistogram {
 public:
  /// Adds one duration. Takes no memory.
  void record(std::uint64_t nanoseconds) noexcept {
    ++buckets_[bucket(nanoseconds)];
    ++count_;
    sum_ += nanoseconds;
    if (nanoseconds > max_) max_ = nanoseconds;
    if (nanoseconds < min_) min_ = nanoseconds;
  }

  /// Afterwards as if everything in `other` had been recorded here, too.
  void merge(const LatencyHistogram& other) noexcept;

  /// Durations that were recorded.
  std::uint64_t count() const noexcept { return count_; }
  /// The longest, in nanoseconds; 0 when there is none.
  std::uint64_t max() const noexcept { return max_; }
  /// The shortest, in nanoseconds; 0 when there is none.
  std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  /// In nanoseconds; 0 when there is none.
  double mean() const noexcept {
    return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The smallest duration that `percent` of the recorded ones do not exceed, to a bucket's width.
  /// @param percent 0 to 100
  std::uint64_t percentile(double percent) const noexcept;

  /// How many of the recorded durations are not longer, to a bucket's width.
  std::uint64_t at_most(std::uint64_t nanoseconds) const noexcept;

 private:
  static constexpr unsigned bits = 6;
  static constexpr std::uint64_t linear = std::uint64_t{1} << bits;
  static constexpr std::size_t size = (44 - bits + 1) * linear;

  static std::size_t bucket(std::uint64_t value) noexcept {
    if (value < linear) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    const std::size_t place =
        (std::size_t{shift} + 1) * linear + static_cast<std::size_t>((value >> shift) - linear);
    return place < size ? place : size - 1;
  }
  static std::uint64_t upper_end(std::size_t place) noexcept;

  std::array<std::uint64_t, size> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
};

}  // namespace lab
