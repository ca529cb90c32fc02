// Where a thread runs: the processors it may use, and pinning it to one.
//   for (const int cpu : allowed_cpus())
//     threads.emplace_back([cpu] {
//       pin_to_cpu(cpu);
//       Ring ring;  // after the pinning: its memory is then near this processor
//     });
// Child processes and threads that are started later inherit the mask.
#pragma once

#include <vector>

namespace lab {

/// The processors that the calling thread may run on (its affinity mask), in rising order. Ask
/// before pinning: afterwards it is the one.
/// @throws std::system_error
/// Source: sched_getaffinity(2).
std::vector<int> allowed_cpus();

/// Pins the calling thread to one processor. Threads that run already stay where they are; the
/// kernel's workers (io-wq) that its ring starts later are pinned with it (seen on 6.18).
/// @throws std::system_error (EINVAL: no such processor, or not in the cpuset)
/// Source: sched_setaffinity(2).
void pin_to_cpu(int cpu);

}  // namespace lab
