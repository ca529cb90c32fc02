// What a worker is told at its start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "06-server/lib/engine/zero_copy_policy.hpp"
#include "06-server/lib/limits/limit_options.hpp"

namespace lab {

/// What the sockets that a worker dials get where the kernel sets options on slots (Linux 6.7), as
/// its listener's connections inherit theirs. 0, or empty: the kernel's own.
struct DialOptions {
  int receive_buffer = 1 << 20;  ///< SO_RCVBUF, bytes
  int send_buffer = 0;           ///< SO_SNDBUF, bytes
  int unsent_max = 128 << 10;    ///< TCP_NOTSENT_LOWAT, bytes
  int user_timeout_ms = 30'000;  ///< TCP_USER_TIMEOUT
  std::string congestion;        ///< TCP_CONGESTION
};

/// Limits and knobs of one worker. Everything is allocated by them at the start.
struct WorkerOptions {
  unsigned connections_max = 32768;  ///< slots of the file table; at most RLIMIT_NOFILE
  unsigned accepts_max = 4096;  ///< that one turn may bring: the completion queue has room for them
  unsigned buffer_count = 2048;  ///< a power of two, at most 32768
  /// Bytes; a multiple of 8, at most 65536: a socket that is writable must have room for a whole
  /// buffer, or the 500 ms of the waiting list cannot be kept.
  unsigned buffer_size = 16384;
  /// Buffers that protocols write into, where they use any.
  unsigned pooled_count = 1024;
  unsigned pooled_size = 16384;  ///< bytes; a multiple of 8
  /// The kernel finds group 0 without walking a tree: 1 % of an echo's CPU.
  std::uint16_t buffer_group = 0;
  ZeroCopyMode zero_copy = ZeroCopyMode::automatic;  ///< what is wanted; see possible()
  std::uint32_t zero_copy_threshold = 16384;         ///< bytes; at most buffer_size
  unsigned idle_timeout_ms = 60'000;                 ///< 0: never
  unsigned drain_deadline_ms = 5'000;                ///< from drain() to the reset of what is left
  /// Before Linux 6.13, where an idle receive keeps the sockets that are closed after it: all
  /// receives are begun again that often. Seldom, so that it costs nothing that counts; what a busy
  /// server closes in the meantime is limited by number.
  unsigned receive_renewal_ms = 10'000;
  LimitOptions limits;          ///< with any, clients are accepted one by one, with their addresses
  DialOptions dial;             ///< where its protocol dials
  bool peer_addresses = false;  ///< protocols ask for them: clients are accepted one by one
  bool sqpoll = false;          ///< a kernel thread submits: it costs a core
  bool peers_on_loopback = false;  ///< zero copy never starts on its own: loopback always copies
  bool disabled_ring = false;      ///< for the fake kernel
  bool portable = false;           ///< the engine on libuv: nothing of io_uring is used
};

/// What a worker found and took, for the first line of the log, or why it could not. Fits into one
/// message to the supervisor.
struct WorkerReport {
  unsigned connections_max = 0;     ///< after RLIMIT_NOFILE has lowered it
  unsigned setup_flags = 0;         ///< IORING_SETUP_*
  bool registered_ring_fd = false;  ///< io_uring_enter(2) looks up no fd (Linux 5.18)
  bool fixed_buffers = false;       ///< the arena is registered: zero-copy sends pin nothing
  int fixed_buffers_error = 0;      ///< errno, when it is not
  bool multishot_timer = false;     ///< the tick is armed once (Linux 6.4)
  bool multishot_is_fair = false;   ///< the kernel limits a multishot receive's turn
  bool can_reset = false;           ///< socket options on slots
  bool slot_releases = false;       ///< closing a slot is enough, and receives are not renewed
  bool zero_copy_reports = false;   ///< the kernel says which sends it copied (Linux 6.2)
  char engine[32] = {};             ///< what moves the bytes, where it is not io_uring
  char pages[32] = {};              ///< what the arena got
  char error[256] = {};             ///< why it ended; empty: it serves
};

}  // namespace lab
