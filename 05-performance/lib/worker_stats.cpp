#include "05-performance/lib/worker_stats.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace lab {

const char* stat_name(Stat stat) noexcept {
  static constexpr std::array<const char*, stat_count> names{"accepted",
                                                             "closed",
                                                             "shed",
                                                             "idle_closed",
                                                             "tcp_ended",
                                                             "drain_resets",
                                                             "accept_errors",
                                                             "receives",
                                                             "receives_one_shot",
                                                             "bytes_in",
                                                             "bytes_out",
                                                             "sends",
                                                             "sends_short",
                                                             "no_buffers",
                                                             "pauses",
                                                             "zero_copy_sent",
                                                             "zero_copy_copied",
                                                             "zero_copy_fallbacks",
                                                             "enters",
                                                             "completions",
                                                             "cq_overflows",
                                                             "ring_errors",
                                                             "cpu_ns"};
  return names[static_cast<std::size_t>(stat)];
}

StatValues WorkerStats::read() const noexcept {
  StatValues values{};
  for (std::size_t index = 0; index < stat_count; ++index) values[index] = counters_[index].get();
  return values;
}

SharedStats::SharedStats(std::size_t workers) : size_(workers * sizeof(WorkerStats)) {
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "mmap (statistics)");
  }
  blocks_ = static_cast<WorkerStats*>(memory);
  for (std::size_t worker = 0; worker < workers; ++worker) clear(worker);
}

SharedStats::~SharedStats() { munmap(blocks_, size_); }

void SharedStats::clear(std::size_t worker) noexcept { ::new (&blocks_[worker]) WorkerStats; }

}  // namespace lab
