// Operations on a slot that only a connection with another one needs.
#pragma once

#include <poll.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// Whether a slot can take bytes. res: a poll mask, or -errno.
/// Source: io_uring_prep_poll_add(3), Linux 5.1.
class PollWritable : public Completion {
 public:
  using Completion::Completion;

  /// Once.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_add(sqe, index(slot), POLLOUT);
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

/// Whether TCP has ended a slot whose peer has sent all: a receive would only bring that end again.
/// A multishot, as a poll of one shot is over at once there. res: a poll mask, at once with
/// POLLRDHUP and, when it is lost, with POLLERR or POLLHUP; or -errno. Source:
/// io_uring_prep_poll_multishot(3), Linux 5.13; without a flag it tells of changes alone.
class PollLoss : public Completion {
 public:
  using Completion::Completion;

  /// Until it is cancelled.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_multishot(sqe, index(slot), 0);  // errors are always told
    sqe->flags |= IOSQE_FIXED_FILE;
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
