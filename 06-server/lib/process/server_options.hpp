// What every server of the lab can be told on its command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "01-core/lib/features.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/process/limit_flags.hpp"
#include "06-server/lib/process/supervisor.hpp"

namespace lab {

/// Where somebody's counters are among all those of a worker.
struct CounterPlace {
  std::size_t first = 0;  ///< index of the first one
  std::size_t size = 0;   ///< how many; 0: there are none

  /// @param all those of one worker, as SharedStats::own() gives them
  std::span<Counter> of(std::span<Counter> all) const noexcept { return all.subspan(first, size); }
};

/// What moves the bytes.
enum class Backend : std::uint8_t {
  automatic,  ///< io_uring where it works, else libuv
  io_uring,   ///< or the server does not start, and says why
  portable    ///< libuv, also where io_uring works
};

/// All of them. Filled in by the command line, then by check_together() and try_features().
struct ServerOptions {
  SupervisorOptions supervisor;          ///< processes, listeners, log
  WorkerOptions worker;                  ///< the same for each worker
  LimitWords limit_words;                ///< what worker.limits is made from
  CounterPlace limit_counters;           ///< none, where there are no limits
  Backend backend = Backend::automatic;  ///< what was asked for; what it is: worker.portable
  std::string backend_reason;            ///< why automatic took the portable one, in words
  std::vector<std::string> without;      ///< names of features, as if the kernel lacked them
  Features features;                     ///< what the kernel has, less those; see try_features()
};

/// Declares the options, in the groups Network, Each worker, Limits and Processes. What is wrong
/// with one alone is said when the line is parsed; the rest is check_together()'s.
/// @param options hold the defaults; they live as long as the line
void add_server_options(CommandLine& line, ServerOptions& options);

}  // namespace lab
