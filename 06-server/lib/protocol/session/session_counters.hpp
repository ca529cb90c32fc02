// What one worker's sessions count: the names, what they mean, and where each is.
//
// Lifetime: the counters themselves are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// The counters by name. One writer: the worker's thread.
class SessionCounters {
  enum Place : std::size_t { refused_at, threw_at, end };

 public:
  static constexpr std::size_t size = end;  ///< how many there are
  static constexpr std::array<CounterInfo, size> infos() noexcept;

  /// @param counters as infos() names them
  explicit SessionCounters(std::span<Counter> counters) noexcept
      : counters_(counters.first<size>()) {}

  /// Connections for which there was no frame: they were reset.
  Counter& refused() noexcept { return counters_[refused_at]; }
  /// Sessions that an exception ended: they were reset.
  Counter& threw() noexcept { return counters_[threw_at]; }

 private:
  std::span<Counter, size> counters_;
};

/// For --stats-json, /metrics and the summary.
constexpr std::array<CounterInfo, SessionCounters::size> SessionCounters::infos() noexcept {
  std::array<CounterInfo, size> all{};
  all[refused_at] = {"sessions_refused",
                     "Connections reset at once, for there was no memory for a session's frame"};
  all[threw_at] = {"sessions_threw", "Sessions that an exception ended: they were reset"};
  return all;
}

}  // namespace lab
