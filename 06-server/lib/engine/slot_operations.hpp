// Operations on a slot that only a connection with another one needs.
#pragma once

#include <poll.h>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"

namespace lab {

/// An ordinary descriptor for a slot, for those calls that know no slots. res: the descriptor, or
/// -errno. Source: io_uring_prep_fixed_fd_install(3), Linux 6.8.
class InstallFd : public Completion {
 public:
  using Completion::Completion;

  /// The descriptor is the caller's to close.
  void start(Ring& ring, FileSlot slot) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_fixed_fd_install(sqe, index(slot), 0);
    ring.arm(sqe, *this);
  }
};

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

}  // namespace lab
