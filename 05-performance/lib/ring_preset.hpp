// How large a ring is made, by what it is for. A role and its load in, RingOptions out.
//   Ring ring(RingPreset::server(options.buffer_count));
//   Ring ring(RingPreset::file_io({.depth = 32}));
// A CQ too small loses nothing (NODROP), but each overflow costs a system call and memory; an SQ
// too small costs a system call whenever it is full (Ring::sqe). Large ones cost memory alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "01-core/lib/ring.hpp"

namespace lab {

/// RingOptions with reasons. Every preset keeps the kernel's limits, whatever the load.
/// Source: io_uring_setup(2); io_uring/io_uring.h, IORING_MAX_ENTRIES and IORING_MAX_CQ_ENTRIES.
struct RingPreset {
  static constexpr unsigned sq_entries_max = 32768;  ///< the kernel's limit of SQEs
  static constexpr unsigned cq_entries_max = 65536;  ///< the kernel's limit of CQEs

  /// A server's ring. One turn of the loop can bring a CQE for each buffer and one for the send of
  /// each, and the accepts of a whole backlog. The SQ holds what a usual turn starts.
  /// @param buffers of its buffer ring: the connections alone cannot fill the CQ, for who has no
  ///                buffer receives nothing
  /// @param accepts that one turn may bring: the backlog
  static constexpr RingOptions server(unsigned buffers, unsigned accepts = 4096) noexcept {
    const std::uint64_t rest = 64;  // ticks, cancels, messages
    const unsigned entries = at_most(2 * std::uint64_t{buffers} + accepts + rest, cq_entries_max);
    return {.sq_entries = std::min(1024U, std::bit_floor(entries)), .cq_entries = entries};
  }

  /// A load generator's ring. It begins by sending on all connections at once; multishot receives
  /// may then answer each request with several CQEs, hence four for one.
  /// @param requests SQEs that one turn may queue: 2 a connection when each sends and receives
  static constexpr RingOptions load_generator(std::uint64_t requests) noexcept {
    const unsigned entries = power_of_two(std::max<std::uint64_t>(requests, 64), 8192);
    return {.sq_entries = entries, .cq_entries = 4 * entries};
  }

  /// What a file program does at once.
  struct FileLoad {
    unsigned depth = 32;  ///< operations in flight
    unsigned submit = 0;  ///< of these, handed in by one call; 0: all of them
  };

  /// A file program's ring. A CQE for each operation in flight, and again as many: for what is
  /// begun while a turn's CQEs are handled. Whoever links calls Ring::reserve(), so a chain must
  /// fit into `submit`.
  static constexpr RingOptions file_io(const FileLoad& load) noexcept {
    const unsigned submit = load.submit == 0 ? load.depth : std::min(load.submit, load.depth);
    return {.sq_entries = power_of_two(submit, sq_entries_max),
            .cq_entries = power_of_two(2 * std::uint64_t{load.depth}, cq_entries_max)};
  }

  /// The same with IOPOLL, and so for O_DIRECT reads and writes alone (04-advanced/04-iopoll).
  static constexpr RingOptions polled_file_io(const FileLoad& load) noexcept {
    RingOptions options = file_io(load);
    options.iopoll = true;
    return options;
  }

 private:
  static constexpr unsigned at_most(std::uint64_t entries, unsigned most) noexcept {
    return static_cast<unsigned>(std::min<std::uint64_t>(entries, most));
  }
  // The kernel rounds up by itself; here, so that twice and four times a size stay what they are.
  static constexpr unsigned power_of_two(std::uint64_t entries, unsigned most) noexcept {
    return std::bit_ceil(std::max(at_most(entries, most), 1U));
  }
};

}  // namespace lab
