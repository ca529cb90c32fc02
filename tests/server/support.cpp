#include "tests/server/support.hpp"

#include <poll.h>
#include <sched.h>

#include <atomic>

#include "05-performance/lib/core_thread.hpp"

namespace lab {

Stream connect_to(std::uint16_t port, const StreamOptions& options, const std::string& host) {
  static std::atomic<std::uint64_t> connections{0};
  return {resolve(host, port), Pattern(1, connections++), options, soon()};
}

Stream connect_stuck(std::uint16_t port, Clock::duration settled) {
  // Segments as on a network: with loopback's of 64 KiB the window of a full receiver opens so
  // slowly that what is left takes minutes.
  Stream client = connect_to(
      port,
      {.send_buffer_size = 64 << 10, .receive_buffer_size = 256 << 10, .segment_size_max = 1400});
  ping(client);  // it was accepted
  const Deadline deadline = soon();
  do {
    client.send_some(1 << 20);
  } while (client.wait(POLLOUT, Deadline(settled)) != 0 && !client.was_reset() &&
           !deadline.passed());
  return client;
}

OnCpu::OnCpu(int cpu) : before_(allowed_cpus()) { pin_to_cpu(cpu); }

OnCpu::~OnCpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : before_) CPU_SET(static_cast<unsigned>(cpu), &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace lab
