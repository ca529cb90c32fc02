// What a server's options mean together, on this machine.
#pragma once

#include <cstdint>
#include <string>

#include "06-server/lib/process/server_options.hpp"

namespace lab {

/// What one option alone cannot know. Fills in the defaults that follow from others.
/// @throws std::invalid_argument which options do not go together, and why
void check_together(const CommandLine& line, ServerOptions& options);

/// Tries the kernel's features, less those that the user wants to miss.
/// @throws std::invalid_argument the name of no feature
/// @throws std::runtime_error one that no server can do without is missing, and why
void try_features(ServerOptions& options);

/// All buffers are allocated at the start, so what does not fit is refused before the machine runs
/// out of memory over it.
/// @param available bytes; what available_memory() says
/// @throws std::invalid_argument how much the workers would take, and the cure
void check_memory(const ServerOptions& options, std::uint64_t available);

/// A file table may be as large as RLIMIT_NOFILE, though its slots are no fds of the process.
/// Raises the soft limit as far as may be, and lowers the connections to it.
/// @return a warning for the log, or nothing
std::string fit_to_limits(WorkerOptions& worker);

}  // namespace lab
