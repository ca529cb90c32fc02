// Where a thread runs: the processors it may use, and pinning it to one.
#pragma once

#include <vector>

namespace lab {

/// The processors that the calling thread may run on (its affinity mask), in rising order.
/// @throws std::system_error
std::vector<int> allowed_cpus();

/// Pins the calling thread to one processor.
/// @throws std::system_error (EINVAL: no such processor, or not in the cpuset)
void pin_to_cpu(int cpu);

}  // namespace lab
