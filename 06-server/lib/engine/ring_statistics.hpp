// Once a tick: what a thread's ring has counted, and what the thread has cost, for everybody to
// read.
//
// Lifetime: its loop's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "01-core/lib/ring.hpp"
#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// For the thread that writes the block.
class RingStatistics {
 public:
  /// @param stats the block; what is in it counts on
  RingStatistics(const Ring& ring, WorkerStats& stats) noexcept
      : ring_(ring), stats_(stats), before_(stats.read()) {}

  /// Everything but the heartbeat.
  /// @param errors of operations of nobody's, beside those that the ring knows
  void publish(std::uint64_t errors = 0) noexcept {
    const RingCounters& counters = ring_.counters();
    set(Stat::enters, counters.enters);
    set(Stat::completions, counters.completions);
    set(Stat::cq_overflows, counters.overflows);
    set(Stat::ring_errors, counters.unowned_errors + errors);
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    set(Stat::cpu_ns, static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                          static_cast<std::uint64_t>(time.tv_nsec));
  }

 private:
  // What is counted elsewhere begins at 0 with this process; the block does not.
  void set(Stat stat, std::uint64_t counted) noexcept {
    stats_[stat].set(before_[static_cast<std::size_t>(stat)] + counted);
  }

  const Ring& ring_;
  WorkerStats& stats_;
  const StatValues before_;  ///< what the processes before this one counted
};

}  // namespace lab
