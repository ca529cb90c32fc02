// The first half of ring-trace: what fdinfo says, twice, and what changed in between.
#pragma once

#include "05-performance/lib/trace.hpp"

namespace lab {

/// Prints the process and each of its rings: both readings, rates, and the state in words.
/// @return false when nothing says that the process uses io_uring
/// @throws std::system_error when the process ends meanwhile, or may not be read
bool print_rings(const Trace& trace, unsigned seconds);

}  // namespace lab
