// Takes connections from a listener into the ring's file table: the CQE's res is a FileSlot.
#pragma once

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// Source: io_uring_prep_multishot_accept_direct(3), Linux 5.19.
///
/// Any error ends it. A full table is worse than that: the kernel has taken the connection from the
/// backlog already and closes it before it reports -ENFILE. So a multishot accept is armed only
/// while there is room for a whole completion queue, for it goes on while clients come, and ends at
/// the latest when that queue is full.
/// @code
///   Bind<AcceptMultishot, &Worker::on_accept> accept_{*this};
///   accept_.start(ring_, listener_.fd());
///   // Worker::on_accept(Cqe cqe): cqe.res is the slot; without cqe.more() it has ended
/// @endcode
class AcceptMultishot : public Completion {
 public:
  using Completion::Completion;

  /// A CQE per connection until cancelled.
  void start(Ring& ring, int listener) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_multishot_accept_direct(sqe, listener, nullptr, nullptr, 0);
    ring.arm(sqe, *this);
  }

  /// One connection. REQUIRES: a slot that is free for it.
  void start_once(Ring& ring, int listener) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_accept_direct(sqe, listener, nullptr, nullptr, 0, IORING_FILE_INDEX_ALLOC);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
