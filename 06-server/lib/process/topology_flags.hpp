// --topology and what belongs to it.
#pragma once

#include "01-core/lib/features.hpp"
#include "05-performance/bench/command_line.hpp"
#include "06-server/lib/process/supervisor.hpp"

namespace lab {

/// Declares the options, in the group Processes.
/// @param supervisor holds the defaults; it lives as long as the line
void add_topology_flags(CommandLine& line, SupervisorOptions& supervisor);

/// What they mean together with the others. @throws std::invalid_argument
void check_topology(const CommandLine& line, const SupervisorOptions& supervisor);

/// Whether the kernel has what the topology needs; the engine without io_uring has no reactors, as
/// serve() says. @throws std::runtime_error with the cure
void try_topology(const SupervisorOptions& supervisor, const Features& features);

}  // namespace lab
