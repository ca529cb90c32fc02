#include "05-performance/lib/worker_stats.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace lab {

namespace {

constexpr std::size_t alignment = alignof(WorkerStats);

constexpr std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

std::span<const CounterInfo, stat_count> stat_infos() noexcept {
  using enum CounterInfo::Kind;
  static constexpr std::array<CounterInfo, stat_count> infos{{
      {"accepted", "Connections accepted"},
      {"closed", "Connections closed"},
      {"shed", "Connections reset so that others got buffers"},
      {"idle_closed", "Connections closed after the idle timeout"},
      {"tcp_ended", "Connections that TCP ended: reset by the peer, or nothing acknowledged"},
      {"drain_resets", "Connections reset at the deadline of a drain"},
      {"accept_errors", "Accepts that failed and were tried again"},
      {"receives", "Receives that brought data"},
      {"receives_one_shot", "Receives armed for one buffer, because buffers were scarce"},
      {"bytes_in", "Bytes received"},
      {"bytes_out", "Bytes sent"},
      {"sends", "Send operations finished"},
      {"sends_short", "Sends that took fewer bytes than asked for"},
      {"no_buffers", "Receives that ended with ENOBUFS"},
      {"pauses", "Receives cancelled because a peer does not read"},
      {"zero_copy_sent", "Zero-copy sends whose notification said: not copied"},
      {"zero_copy_copied", "Zero-copy sends that the kernel copied after all"},
      {"zero_copy_fallbacks", "Zero-copy sends that failed and went out plainly"},
      {"enters", "Calls of io_uring_enter"},
      {"completions", "Completions"},
      {"cq_overflows", "Times the completion queue was found overflowed"},
      {"ring_errors", "Operations of nobody's that failed"},
      {"cpu_ns", "CPU time of the worker, user and system", {}, {}, nanoseconds},
      {"starts", "Processes that were started for the worker"},
      {"serving", "Workers that take new connections", {}, {}, gauge},
  }};
  static_assert(!infos.back().name.empty());
  return infos;
}

StatValues WorkerStats::read() const noexcept {
  StatValues values{};
  for (std::size_t index = 0; index < stat_count; ++index) values[index] = counters_[index].get();
  return values;
}

SharedStats::SharedStats(std::size_t workers, std::size_t own)
    : own_(own),
      stride_(aligned(sizeof(WorkerStats) + own * sizeof(Counter))),
      size_(workers * stride_) {
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "mmap (statistics)");
  }
  blocks_ = static_cast<std::byte*>(memory);
  for (std::size_t worker = 0; worker < workers; ++worker) {
    std::byte* block = blocks_ + worker * stride_;
    ::new (block) WorkerStats;
    for (std::size_t index = 0; index < own; ++index) {
      ::new (block + sizeof(WorkerStats) + index * sizeof(Counter)) Counter;
    }
  }
}

SharedStats::~SharedStats() { munmap(blocks_, size_); }

WorkerStats& SharedStats::operator[](std::size_t worker) const noexcept {
  return *std::launder(reinterpret_cast<WorkerStats*>(blocks_ + worker * stride_));
}

std::span<Counter> SharedStats::own(std::size_t worker) const noexcept {
  std::byte* first = blocks_ + worker * stride_ + sizeof(WorkerStats);
  return {std::launder(reinterpret_cast<Counter*>(first)), own_};
}

std::uint64_t SharedStats::get(std::size_t worker, std::size_t index) const noexcept {
  return index < stat_count ? (*this)[worker].get(static_cast<Stat>(index))
                            : own(worker)[index - stat_count].get();
}

CounterValues SharedStats::read(std::size_t worker) const {
  CounterValues values(stat_count + own_);
  for (std::size_t index = 0; index < values.size(); ++index) values[index] = get(worker, index);
  return values;
}

}  // namespace lab
