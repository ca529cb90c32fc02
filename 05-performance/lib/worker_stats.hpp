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
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What a counter is, for those who show it: the log, --stats-json, /metrics.
struct CounterInfo {
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
  Kind kind = Kind::count;
};

/// One value of each counter, as a reader sees it: those of Stat, then the worker's own.
using CounterValues = std::vector<std::uint64_t>;

/// What every worker counts. Each one's meaning: stat_infos().
enum class Stat : unsigned char {
  accepted,
  closed,
  shed,
  idle_closed,
  tcp_ended,
  drain_resets,
  accept_errors,
  receives,
  receives_one_shot,
  bytes_in,
  bytes_out,
  sends,
  sends_short,
  no_buffers,
  pauses,
  zero_copy_sent,
  zero_copy_copied,
  zero_copy_fallbacks,
  enters,
  completions,
  cq_overflows,
  ring_errors,
  cpu_ns,
  starts,  // this and the next are the supervisor's to write
  serving,
  count
};

inline constexpr std::size_t stat_count = static_cast<std::size_t>(Stat::count);

using StatValues = std::array<std::uint64_t, stat_count>;

/// Names and meanings, in the order of Stat.
std::span<const CounterInfo, stat_count> stat_infos() noexcept;

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

  WorkerStats& operator[](std::size_t worker) const noexcept;
  std::span<Counter> own(std::size_t worker) const noexcept;
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
