// The first half of ring-trace: what fdinfo says, twice, and what changed in between.
#pragma once

#include "05-performance/lib/trace.hpp"

namespace lab {

/// True also while only its parent has not asked yet how it ended (a zombie): its files are gone.
bool process_ended(pid_t pid);

/// Prints the process and each of its rings: both readings, rates, and the state in words. What
/// may not be read beside the rings is said to be not known.
/// @return false when nothing says that the process uses io_uring, or it ended before it was seen
/// @throws std::system_error when no ring may be read
bool print_rings(const Trace& trace, unsigned seconds);

}  // namespace lab
