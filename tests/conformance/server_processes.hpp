// What Linux knows of the server's processes: how much they ran, and how long they had to wait for
// a processor.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/conformance/client.hpp"

namespace lab {

// User and system time so far of the processes and their children, in clock ticks (sysconf).
std::int64_t cpu_ticks(const std::vector<int>& pids);

// How long the threads of the processes and of their children have so far been ready to run and did
// not: another had the processor. 0 where the kernel does not count it (CONFIG_SCHED_INFO). Source:
// Documentation/scheduler/sched-stats.rst.
Milliseconds waited_for_processor(const std::vector<int>& pids);

}  // namespace lab
