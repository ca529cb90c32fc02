// Counters that one worker writes and anybody may read at any time, through shared memory.
//   SharedStats stats(workers);                     // before the fork
//   stats[worker][Stat::receives].add(1);           // in that worker only: it is the one writer
//   const StatValues now = stats[worker].read();    // in any process, at any time
// Rates are differences of two readings.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lab {

/// A number with a single writer. A relaxed load and store cost what an ordinary one does; an
/// atomic read-modify-write would lock the cache line for nothing.
class Counter {
 public:
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// One value of each statistic, as a reader sees it: WorkerStats::read().
enum class Stat : unsigned char {
  accepted,           ///< connections accepted, ever
  closed,             ///< connections closed, ever
  shed,               ///< connections reset so that others got buffers
  idle_closed,        ///< connections reset after the idle timeout
  tcp_ended,          ///< connections that TCP ended: reset by the peer, or nothing acknowledged
  drain_resets,       ///< connections reset at the deadline of a drain
  accept_errors,      ///< accepts that failed and were tried again
  receives,           ///< receives that brought data: requests
  receives_one_shot,  ///< of these, armed for one buffer because buffers were scarce
  bytes_in,
  bytes_out,
  sends,                ///< send operations finished
  sends_short,          ///< of these, with fewer bytes than asked for
  no_buffers,           ///< receives that ended with -ENOBUFS
  pauses,               ///< receives cancelled because a peer does not read
  zero_copy_sent,       ///< zero-copy sends whose notification said: not copied
  zero_copy_copied,     ///< zero-copy sends that the kernel copied after all
  zero_copy_fallbacks,  ///< zero-copy sends that failed and went out plainly
  enters,               ///< io_uring_enter calls
  completions,          ///< CQEs
  cq_overflows,         ///< times the CQ was found overflowed
  ring_errors,          ///< unowned operations that failed
  cpu_ns,               ///< CPU time of the worker, user and system
  count
};

inline constexpr std::size_t stat_count = static_cast<std::size_t>(Stat::count);

using StatValues = std::array<std::uint64_t, stat_count>;

/// The name in `--stats-json` and its meaning, in the order of Stat.
const char* stat_name(Stat stat) noexcept;

/// One worker's block. Cache-line aligned, so that no worker writes where another does.
/// Lifetime: in shared memory, made by the supervisor before the fork.
class alignas(128) WorkerStats {
 public:
  Counter& operator[](Stat stat) noexcept { return counters_[static_cast<std::size_t>(stat)]; }
  std::uint64_t get(Stat stat) const noexcept {
    return counters_[static_cast<std::size_t>(stat)].get();
  }
  /// All counters. Each is whole; together they are of nearly one moment.
  StatValues read() const noexcept;

  Counter heartbeat;  ///< counts the worker's ticks: while it moves, the worker lives

 private:
  std::array<Counter, stat_count> counters_;
};

/// The blocks of all workers in memory that forked processes share.
class SharedStats {
 public:
  /// @throws std::system_error when there is no memory
  explicit SharedStats(std::size_t workers);
  ~SharedStats();
  SharedStats(const SharedStats&) = delete;
  SharedStats& operator=(const SharedStats&) = delete;

  WorkerStats& operator[](std::size_t worker) const noexcept { return blocks_[worker]; }
  /// REQUIRES: the worker's process is gone, or not there yet.
  void clear(std::size_t worker) noexcept;

 private:
  WorkerStats* blocks_;
  std::size_t size_;  ///< bytes
};

}  // namespace lab
