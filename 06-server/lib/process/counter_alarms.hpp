// Counters whose growth is told in the log, for somebody has to do something about it.
//
// Lifetime: in the supervisor; what it is given outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/server_log.hpp"

namespace lab {

/// A counter that means trouble when it grows, and what the log says then.
struct CounterAlarm {
  std::size_t counter = 0;  ///< among those of a worker's protocol
  std::string what;         ///< has happened: "lines are lost"
  std::string why;          ///< with a cure
};

/// Trouble is told when it begins. While it lasts nothing more is said; it is over when the counter
/// has rested for a minute.
class CounterAlarms {
 public:
  explicit CounterAlarms(const std::vector<CounterAlarm>& alarms) {
    for (const CounterAlarm& alarm : alarms) watched_.push_back({.alarm = alarm});
  }

  /// Now and then. @param now_ms of a clock that does not go back
  void look(const SharedStats& stats, unsigned workers, std::uint64_t now_ms, ServerLog& log) {
    for (Watched& one : watched_) {
      std::uint64_t total = 0;
      for (unsigned worker = 0; worker < workers; ++worker)
        total += stats.own(worker)[one.alarm.counter].get();
      if (total == one.total) continue;
      if (one.total == 0 || now_ms - one.grew_ms > rest_ms)
        log("{} ({} so far): {}", one.alarm.what, total, one.alarm.why);
      one.total = total;
      one.grew_ms = now_ms;
    }
  }

 private:
  static constexpr std::uint64_t rest_ms = 60'000;

  struct Watched {
    CounterAlarm alarm;
    std::uint64_t total = 0;
    std::uint64_t grew_ms = 0;  ///< when it was last seen to grow
  };
  std::vector<Watched> watched_;
};

}  // namespace lab
