// Reads the supervisor's words to a worker from the ring.
#pragma once

#include <sys/socket.h>

#include "01-core/lib/ring.hpp"
#include "06-server/lib/engine/control_message.hpp"

namespace lab {

/// res: 1, 0 at the end, or -errno.
class ReadControl : public Completion, public ControlMessage {
 public:
  using Completion::Completion;

  /// Reads one word over the one before, whose descriptor was taken if it had one.
  /// @param fd of the socketpair; open until the CQE
  void start(Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recvmsg(sqe, fd, prepare(), MSG_CMSG_CLOEXEC);
    ring.arm(sqe, *this);
  }
};

}  // namespace lab
