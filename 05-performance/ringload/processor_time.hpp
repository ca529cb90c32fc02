// How busy a processor was, and how much CPU time a process used, between two moments.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <vector>

namespace lab {

/// Nanoseconds of one processor since boot, as /proc/stat has them (in steps of 10 ms, proc(5)).
struct ProcessorTime {
  std::uint64_t at_ns = 0;  ///< CLOCK_MONOTONIC, when it was read
  std::uint64_t user = 0;
  std::uint64_t nice = 0;
  std::uint64_t system = 0;
  std::uint64_t idle = 0;
  std::uint64_t iowait = 0;
  std::uint64_t irq = 0;
  std::uint64_t softirq = 0;
  std::uint64_t steal = 0;

  /// @throws std::runtime_error when there is no such processor
  static ProcessorTime read(int cpu);
};

/// What happened between two readings.
struct ProcessorUse {
  double elapsed_s = 0;
  /// What is neither idle nor stolen. User, system, irq and softirq time are *sampled* by the timer
  /// tick on most kernels (CONFIG_TICK_CPU_ACCOUNTING), idle time is measured at each entry and
  /// exit: so this is taken from idle, and ticks_s only says what the samples would have said.
  double busy_s = 0;
  double ticks_s = 0;  ///< user + nice + system + irq + softirq
  double steal_s = 0;  ///< the hypervisor ran somebody else

  double busy_share() const noexcept { return elapsed_s > 0 ? busy_s / elapsed_s : 0; }
  double steal_share() const noexcept { return elapsed_s > 0 ? steal_s / elapsed_s : 0; }
};
ProcessorUse operator-(const ProcessorTime& later, const ProcessorTime& earlier) noexcept;

/// The CPU clocks of a process and of all its descendants at the time of construction. Exact to the
/// nanosecond, unlike the ticks in /proc/PID/stat.
class ProcessClocks {
 public:
  /// @throws std::system_error when there is no such process
  explicit ProcessClocks(pid_t root);

  /// The sum of user and system time. A process that has ended counts with its last known value.
  std::uint64_t read_ns() noexcept;

 private:
  struct Clock {
    clockid_t id;
    std::uint64_t last_ns;
  };
  std::vector<Clock> clocks_;
};

/// A process and its descendants, the process first.
std::vector<pid_t> process_tree(pid_t root);

/// User and system time of the calling thread.
std::uint64_t thread_cpu_ns() noexcept;

/// CLOCK_MONOTONIC in nanoseconds.
std::uint64_t monotonic_ns() noexcept;

}  // namespace lab
