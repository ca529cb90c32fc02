// How long something takes, in counters: how many took up to 0.1 ms, up to 0.25 ms, and so on.
//
// Lifetime: the counters are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// One family of counters. One writer, as its counters have.
class DurationCounters {
  struct Bound {
    std::uint64_t ns;
    std::string_view seconds;
  };
  // 1, 2.5, 5 and so on: fine enough to see where the most are, coarse enough to be read.
  static constexpr std::array<Bound, 17> bounds{{{100'000, "0.0001"},
                                                 {250'000, "0.00025"},
                                                 {500'000, "0.0005"},
                                                 {1'000'000, "0.001"},
                                                 {2'500'000, "0.0025"},
                                                 {5'000'000, "0.005"},
                                                 {10'000'000, "0.01"},
                                                 {25'000'000, "0.025"},
                                                 {50'000'000, "0.05"},
                                                 {100'000'000, "0.1"},
                                                 {250'000'000, "0.25"},
                                                 {500'000'000, "0.5"},
                                                 {1'000'000'000, "1"},
                                                 {2'500'000'000, "2.5"},
                                                 {5'000'000'000, "5"},
                                                 {10'000'000'000, "10"},
                                                 {~std::uint64_t{0}, "+Inf"}}};

 public:
  static constexpr std::size_t size = bounds.size() + 1;  ///< counters: the buckets, and the sum

  /// @param name ends with _seconds
  static constexpr std::array<CounterInfo, size> infos(std::string_view name,
                                                       std::string_view help) noexcept {
    std::array<CounterInfo, size> all{};
    for (std::size_t index = 0; index < bounds.size(); ++index) {
      all[index] = {name, help, "le", bounds[index].seconds, CounterInfo::Kind::duration_bucket};
    }
    all[bounds.size()] = {name, help, "le", "sum_ns", CounterInfo::Kind::duration_sum};
    return all;
  }

  /// @param counters as infos() names them
  explicit DurationCounters(std::span<Counter, size> counters) noexcept : counters_(counters) {}

  /// One duration, in nanoseconds.
  void record(std::uint64_t ns) noexcept {
    std::size_t index = 0;
    while (ns > bounds[index].ns) ++index;
    counters_[index].add(1);
    counters_[bounds.size()].add(ns);
  }

 private:
  std::span<Counter, size> counters_;
};

}  // namespace lab
