// Counters that one worker writes and anybody may read at any time, through shared memory.
//   SharedStats stats(workers, own);                // before the fork
//   stats[worker][Stat::receives].add(1);           // in that worker only: it is the one writer
//   stats.own(worker)[0].add(1);                    // what it counts beside those of Stat
//   const CounterValues now = stats.read(worker);   // in any process, at any time
// Rates are differences of two readings.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lab {

/// A number with a single writer. A relaxed load and store cost what an ordinary one does; an
/// atomic read-modify-write would lock the cache line for nothing.
class Counter {
 public:
  /// REQUIRES: the caller is its only writer.
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  /// For a gauge. REQUIRES: the caller is its only writer.
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  /// From any thread or process, at any time.
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What a counter is, for those who show it: the log, --stats-json, /metrics.
struct CounterInfo {
  /// What its number is, and so its unit.
  enum class Kind : std::uint8_t {
    count,        ///< how often something happened, or how much there was
    nanoseconds,  ///< how long something took
    gauge,        ///< how much there is now
    /// How many durations were longer than the bucket before says and not longer than this one's
    /// value, in seconds. The family ends with its `duration_sum`.
    duration_bucket,
    duration_sum  ///< of all of the family's durations, in nanoseconds
  };

  std::string_view name;  ///< in --stats-json; those of a family have the same, and are neighbours
  std::string_view help;  ///< what it counts, for people
  std::string_view label = {};  ///< in which way those of a family differ; empty: it is alone
  std::string_view value = {};  ///< the label's, of this one
  Kind kind = Kind::count;      ///< its unit: for most a plain number
};

/// One value of each counter, as a reader sees it: those of Stat, then the worker's own.
using CounterValues = std::vector<std::uint64_t>;

/// What every worker counts. Each one's meaning: stat_infos().
enum class Stat : unsigned char {
  accepted,             ///< connections
  closed,               ///< connections
  shed,                 ///< connections reset so that others got buffers
  idle_closed,          ///< connections, after the idle timeout
  tcp_ended,            ///< connections: reset by the peer, or nothing was acknowledged
  drain_resets,         ///< connections, at the deadline of a drain
  accept_errors,        ///< accepts that failed and were tried again
  receives,             ///< that brought data
  receives_one_shot,    ///< armed for one buffer, because buffers were scarce
  bytes_in,             ///< received
  bytes_out,            ///< sent
  sends,                ///< operations finished
  sends_short,          ///< that took fewer bytes than asked for
  no_buffers,           ///< receives that ended with -ENOBUFS
  pauses,               ///< receives cancelled because a peer does not read
  zero_copy_sent,       ///< whose notification said: not copied
  zero_copy_copied,     ///< that the kernel copied after all
  zero_copy_fallbacks,  ///< that failed and went out plainly
  enters,               ///< calls of io_uring_enter(2)
  completions,          ///< CQEs
  cq_overflows,         ///< times the CQ was found overflowed
  ring_errors,          ///< operations of nobody's that failed
  cpu_ns,               ///< of the worker, user and system
  starts,               ///< processes; this and the next are the supervisor's to write
  serving,              ///< workers that take new connections
  count                 ///< how many there are; no counter
};

/// Counters that every worker has.
inline constexpr std::size_t stat_count = static_cast<std::size_t>(Stat::count);

/// One value of each, in the order of Stat.
using StatValues = std::array<std::uint64_t, stat_count>;

/// Names and meanings, in the order of Stat.
std::span<const CounterInfo, stat_count> stat_infos() noexcept;

/// One worker's block. Cache-line aligned, so that no worker writes where another does.
/// Lifetime: in shared memory, made by the supervisor before the fork.
class alignas(128) WorkerStats {
 public:
  /// To count in. REQUIRES: the caller is the worker.
  Counter& operator[](Stat stat) noexcept { return counters_[static_cast<std::size_t>(stat)]; }
  /// One counter, from any process.
  std::uint64_t get(Stat stat) const noexcept {
    return counters_[static_cast<std::size_t>(stat)].get();
  }
  /// All counters. Each is whole; together they are of nearly one moment.
  StatValues read() const noexcept;

  Counter heartbeat;  ///< counts the worker's ticks: while it moves, the worker lives

 private:
  std::array<Counter, stat_count> counters_;
};

/// The blocks of all workers in memory that forked processes share. A block is its worker's for
/// good: the process after a dead one counts on where that one ended.
class SharedStats {
 public:
  /// @param own counters that each worker has beside those of Stat
  /// @throws std::system_error when there is no memory
  explicit SharedStats(std::size_t workers, std::size_t own = 0);
  ~SharedStats();
  SharedStats(const SharedStats&) = delete;
  SharedStats& operator=(const SharedStats&) = delete;

  /// The worker's block. REQUIRES: there are more workers than that.
  WorkerStats& operator[](std::size_t worker) const noexcept;
  /// What the worker counts beside those of Stat, as many as the constructor was told.
  std::span<Counter> own(std::size_t worker) const noexcept;
  /// All of the worker's counters. Each is whole; together they are of nearly one moment.
  CounterValues read(std::size_t worker) const;
  /// One of what read() gives. Takes no memory.
  std::uint64_t get(std::size_t worker, std::size_t index) const noexcept;

 private:
  std::size_t own_;
  std::size_t stride_;  ///< bytes from one worker's block to the next one's
  std::size_t size_;    ///< bytes
  std::byte* blocks_;
};

}  // namespace lab
