// Receives into buffers that the kernel picks from a BufferRing, once or again and again.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "03-network/lib/buffer_ring.hpp"

namespace lab {

/// Each CQE with has_buffer() is a BufferLease. The last one (no F_MORE) may be data too (the CQ
/// was full), 0 at the peer's FIN, -ENOBUFS when the ring was empty, -ECANCELED, or the socket's
/// error. Source: io_uring_prep_recv_multishot(3), Linux 6.0.
/// @code
///   Bind<RecvMultishot, &Connection::on_recv> recv_{*this};
///   recv_.start(ring, slot, buffers);
///   // Connection::on_recv(Cqe cqe): if (cqe.has_buffer()) outbox.push(buffers.lease(cqe));
/// @endcode
class RecvMultishot : public Completion {
 public:
  using Completion::Completion;

  /// @param total_bytes it ends by itself with the buffer in which so many are reached, and that
  /// last CQE is data (Linux 6.17); 0: never
  void start(Ring& ring, FileSlot slot, const BufferRing& buffers,
             std::uint32_t total_bytes = 0) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    prepare(sqe, slot, buffers, total_bytes);
    ring.arm(sqe, *this);
  }

  /// The same, but a CQE may speak for several buffers, and is for BufferRing::leases() (Linux
  /// 6.10). For streams: where a buffer is enough it only costs the kernel a longer look.
  /// @param total_bytes as for start(); without one, all that is queued may be taken at once. The
  /// kernels that have it have also the cures of what bundles did wrong (liburing issue 1409)
  void start_bundles(Ring& ring, FileSlot slot, const BufferRing& buffers,
                     std::uint32_t total_bytes) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    prepare(sqe, slot, buffers, total_bytes);
    sqe->ioprio |= IORING_RECVSEND_BUNDLE;
    ring.arm(sqe, *this);
  }

  /// One buffer and no more: for when buffers are scarce, as a multishot cannot be told to stop in
  /// time.
  /// @param bytes_max so much of the buffer is filled at the most; 0: all of it
  void start_once(Ring& ring, FileSlot slot, const BufferRing& buffers,
                  std::uint32_t bytes_max = 0) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, index(slot), nullptr, bytes_max, 0);
    select(sqe, buffers);
    ring.arm(sqe, *this);
  }

  /// Throws away what comes, without a buffer, up to so many bytes. res: how many, 0 at the peer's
  /// FIN. Source: tcp(7), MSG_TRUNC.
  void start_discard(Ring& ring, FileSlot slot, std::uint32_t bytes_max) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, index(slot), nullptr, bytes_max, MSG_TRUNC);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }

  /// No data yet: completes when the socket can take what it would have to send back.
  void start_when_writable(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_add(sqe, index(slot), POLLOUT);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }

 private:
  static void prepare(io_uring_sqe* sqe, FileSlot slot, const BufferRing& buffers,
                      std::uint32_t total_bytes) noexcept {
    io_uring_prep_recv_multishot(sqe, index(slot), nullptr, 0, 0);
    select(sqe, buffers);
    sqe->optlen = total_bytes;
  }

  static void select(io_uring_sqe* sqe, const BufferRing& buffers) noexcept {
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers.group();
  }
};

}  // namespace lab
