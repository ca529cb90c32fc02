// What a completion says: a result and flags, copied out of the queue so that the queue's slot can
// be reused before the handler runs.
//   if (cqe.has_buffer()) take(buffers.lease(cqe));
//   if (!cqe.more()) start_again();
#pragma once

#include <liburing.h>

#include <cstdint>

namespace lab {

/// A completion queue entry by value.
/// Source: io_uring(7), struct io_uring_cqe.
struct Cqe {
  std::int32_t res;     ///< the result, or -errno; errno itself is untouched
  std::uint32_t flags;  ///< IORING_CQE_F_*

  /// More completions of the same operation will follow: it is still armed (Linux 5.13).
  bool more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
  /// The upper 16 bits of flags name a provided buffer; without this they mean nothing (Linux 5.7).
  bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
  /// The kernel will write more into the same buffer (incremental buffers, Linux 6.12).
  bool buffer_more() const noexcept { return (flags & IORING_CQE_F_BUF_MORE) != 0; }
  /// A receive: the socket holds more data than this buffer took (Linux 5.19).
  bool socket_nonempty() const noexcept { return (flags & IORING_CQE_F_SOCK_NONEMPTY) != 0; }
  /// The second completion of a zero-copy send: the kernel no longer reads its memory (Linux 6.0).
  bool notification() const noexcept { return (flags & IORING_CQE_F_NOTIF) != 0; }
};

}  // namespace lab
