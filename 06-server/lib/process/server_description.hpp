// The first line of a server's log.
#pragma once

#include <string>

#include "06-server/lib/process/server_options.hpp"

namespace lab {

/// What is in use: of the kernel, of memory, of sockets.
/// @param report the first worker's
std::string describe_server(const ServerOptions& options, const WorkerReport& report);

}  // namespace lab
