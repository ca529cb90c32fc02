// What one worker's limits count: the names, what they mean, and where each is.
//
// Lifetime: the counters themselves are in memory that others may read, see worker_stats.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/limits/refused.hpp"

namespace lab {

/// The counters by name. One writer: the worker's thread.
class LimitCounters {
  static constexpr std::size_t whys = static_cast<std::size_t>(Refused::count);
  enum Plain : std::size_t {
    connections_at = whys,
    requests_at,
    requests_refused_at,
    paused_at,
    forgotten_at,
    end
  };

 public:
  static constexpr std::size_t size = end;  ///< how many there are
  static constexpr std::array<CounterInfo, size> infos() noexcept;

  /// @param counters as infos() names them
  explicit LimitCounters(std::span<Counter> counters) noexcept
      : counters_(counters.first<size>()) {}

  /// Connections that were not let in, by the reason.
  Counter& refused(Refused why) noexcept { return counters_[static_cast<std::size_t>(why)]; }
  /// Connections that were let in.
  Counter& connections() noexcept { return counters_[connections_at]; }
  /// Requests that were let in, without the first of each connection.
  Counter& requests() noexcept { return counters_[requests_at]; }
  /// Requests on open connections that were refused.
  Counter& requests_refused() noexcept { return counters_[requests_refused_at]; }
  /// Times a connection was made to wait.
  Counter& paused() noexcept { return counters_[paused_at]; }
  /// Clients forgotten too early, for there were more than --rate-entries.
  Counter& forgotten() noexcept { return counters_[forgotten_at]; }

 private:
  std::span<Counter, size> counters_;
};

/// For --stats-json, /metrics and the summary.
constexpr std::array<CounterInfo, LimitCounters::size> LimitCounters::infos() noexcept {
  std::array<CounterInfo, size> all{};
  constexpr std::array<std::string_view, whys> words{"denied", "connections", "rate", "total",
                                                     "delay"};
  for (std::size_t index = 0; index < words.size(); ++index) {
    all[index] = {"limit_refused", "Connections that were not let in", "why", words[index]};
  }
  all[connections_at] = {"limit_connections", "Connections that were let in"};
  all[requests_at] = {"limit_requests",
                      "Requests that were let in, without the first of each connection"};
  all[requests_refused_at] = {"limit_requests_refused",
                              "Requests on open connections that were refused"};
  all[paused_at] = {"limit_paused", "Times a connection was made to wait"};
  all[forgotten_at] = {"limit_forgotten",
                       "Clients forgotten too early, for there were more than --rate-entries"};
  return all;
}

}  // namespace lab
