#include "05-performance/lib/core_thread.hpp"

#include <sched.h>

#include <memory>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

constexpr int cpus_max = 4096;  // more than a fixed cpu_set_t can name

struct FreeCpuSet {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeCpuSet>;

}  // namespace

std::vector<int> allowed_cpus() {
  const std::size_t size = CPU_ALLOC_SIZE(cpus_max);
  const CpuSet set(CPU_ALLOC(cpus_max));
  CPU_ZERO_S(size, set.get());
  check_errno(sched_getaffinity(0, size, set.get()), "sched_getaffinity");
  std::vector<int> cpus;
  for (int cpu = 0; cpu < cpus_max; ++cpu) {
    if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size, set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

void pin_to_cpu(int cpu) {
  const std::size_t size = CPU_ALLOC_SIZE(cpus_max);
  const CpuSet set(CPU_ALLOC(cpus_max));
  CPU_ZERO_S(size, set.get());
  CPU_SET_S(static_cast<std::size_t>(cpu), size, set.get());
  check_errno(sched_setaffinity(0, size, set.get()), "sched_setaffinity");
}

}  // namespace lab
