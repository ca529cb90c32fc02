#include "05-performance/lib/core_thread.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace lab {

// POSIX knows no affinity: all that run, and the scheduler places the threads.
std::vector<int> allowed_cpus() {
  std::vector<int> cpus(static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
  std::iota(cpus.begin(), cpus.end(), 0);
  return cpus;
}

void pin_to_cpu(int) {}

}  // namespace lab
