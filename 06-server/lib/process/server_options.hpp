// What every server of the lab can be told on its command line.
#pragma once

#include <string>
#include <vector>

#include "01-core/lib/features.hpp"
#include "05-performance/bench/command_line.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "06-server/lib/process/supervisor.hpp"

namespace lab {

struct ServerOptions {
  SupervisorOptions supervisor;
  WorkerOptions worker;
  std::vector<std::string> without;  ///< names of features, as if the kernel lacked them
  Features features;                 ///< what the kernel has, less those; see try_features()
};

/// Declares the options, in the groups Network, Each worker and Processes. What is wrong with one
/// alone is said when the line is parsed; the rest is check_together()'s.
/// @param options hold the defaults; they live as long as the line
void add_server_options(CommandLine& line, ServerOptions& options);

}  // namespace lab
