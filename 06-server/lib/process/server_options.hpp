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
  std::size_t first = 0;
  std::size_t size = 0;

  std::span<Counter> of(std::span<Counter> all) const noexcept { return all.subspan(first, size); }
};

enum class Backend : std::uint8_t {
  automatic,  ///< io_uring where it works, else libuv
  io_uring,
  portable
};

struct ServerOptions {
  SupervisorOptions supervisor;
  WorkerOptions worker;
  LimitWords limit_words;
  CounterPlace limit_counters;  ///< none, where there are no limits
  Backend backend = Backend::automatic;
  std::string backend_reason;        ///< why automatic took the portable one, in words
  std::vector<std::string> without;  ///< names of features, as if the kernel lacked them
  Features features;                 ///< what the kernel has, less those; see try_features()
};

/// Declares the options, in the groups Network, Each worker, Limits and Processes. What is wrong
/// with one alone is said when the line is parsed; the rest is check_together()'s.
/// @param options hold the defaults; they live as long as the line
void add_server_options(CommandLine& line, ServerOptions& options);

}  // namespace lab
