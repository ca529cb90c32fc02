// One worker's process, from the fork to its end, as the supervisor sees it.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/server_signals.hpp"

namespace lab {

/// What a new worker process is given. It owns nothing of it.
struct WorkerContext {
  unsigned index;                ///< which worker it is, from 0
  int cpu;                       ///< already pinned to it; -1: not pinned
  int listener_fd;               ///< its listener, open in the supervisor as well
  bool listener_passed = false;  ///< others have it, too: it is never shut down
  int control_fd = -1;           ///< commands come, one WorkerReport goes; end of file means drain
  WorkerStats* stats;            ///< its block in shared memory
  std::span<Counter> counters;   ///< its protocol's
  /// The blocks of all workers, for a process that has several of them.
  const SharedStats* blocks = nullptr;
};

/// The body of a worker process.
struct WorkerMain {
  /// Runs after the fork; its return value is the exit code.
  int (*function)(const void* argument, const WorkerContext& context) = nullptr;
  const void* argument = nullptr;  ///< handed to the function as it is
  /// Lists of those that a worker keeps beside its own.
  const std::list<std::vector<int>>* descriptors = nullptr;
};

/// The supervisor's to a worker whose listener was passed: drain, and leave the socket alone. An
/// engine that drains shuts its listener down, so by then its number stands for something else.
inline constexpr int signal_drain_kept = SIGUSR2;

/// A process that was forked, and what the supervisor has of it.
struct WorkerProcess {
  pid_t pid = -1;  ///< -1: none
  Fd pidfd;        ///< readable when it has ended: pidfd_open(2), Linux 5.3
  Fd control;      ///< commands go, one WorkerReport comes

  /// Forks. The child closes every descriptor but its own, is pinned to its CPU and ignores the
  /// server's signals. When the supervisor dies it drains (its control socket ends), and is ended
  /// by an alarm where it cannot. An exception of its main goes to the supervisor as a
  /// WorkerReport. REQUIRES: a process with a single thread
  /// @param context control_fd is set here
  /// @param drain_alarm_seconds from the supervisor's death to the alarm
  /// @throws std::system_error
  static WorkerProcess start(const WorkerMain& main, WorkerContext context,
                             const ServerSignals& signals, unsigned drain_alarm_seconds);
};

/// 'R' running, 'S' and 'D' asleep, 'T' and 't' stopped; ' ' unknown. proc(5)
char process_state(pid_t pid);

/// "exited with code 1", "was ended by signal 9 (Killed)".
/// @param status what waitpid() said
/// @param by_us whether SIGKILL was ours; if not, it says whose it may be
std::string describe_end(int status, bool by_us = true);

}  // namespace lab
