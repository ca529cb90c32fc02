// Says which reactors have stopped coming round: the process lives as long as one of them does, so
// nobody kills it for one that hangs.
//
// Lifetime: the supervisor's.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/server_log.hpp"

namespace lab {

/// Remembers of each reactor when its heartbeat moved last.
class ReactorWatch {
 public:
  /// @param reactors their blocks are the first ones; 0: there are none
  explicit ReactorWatch(unsigned reactors) : seen_(reactors) {}

  /// Once per tick of the supervisor, while the process serves. Counted in ticks: a machine that
  /// was paused as a whole says nothing of anybody.
  /// @param tick_ms how long one is
  void look(const SharedStats& stats, std::uint64_t tick_ms, ServerLog& log) {
    for (std::size_t reactor = 0; reactor < seen_.size(); ++reactor) {
      Seen& seen = seen_[reactor];
      const std::uint64_t heartbeat = stats[reactor].heartbeat.get();
      if (std::exchange(seen.heartbeat, heartbeat) != heartbeat) {
        seen.silent_ms = 0;
        if (std::exchange(seen.told, false)) log("reactor {} comes round again", reactor);
        continue;
      }
      seen.silent_ms += tick_ms;
      if (seen.silent_ms < silent_max_ms || std::exchange(seen.told, true)) continue;
      log("reactor {} gave no sign of life for {} ms: it gets no more clients until it does, and "
          "those that it has wait",
          reactor, seen.silent_ms);
    }
  }
  /// Its process has ended.
  void forget() noexcept { seen_.assign(seen_.size(), {}); }

 private:
  static constexpr std::uint64_t silent_max_ms = 1000;  // a heartbeat is due every 25 ms

  struct Seen {
    std::uint64_t heartbeat = 0;
    std::uint64_t silent_ms = 0;
    bool told = false;
  };

  std::vector<Seen> seen_;
};

}  // namespace lab
