// The four operations of a connection on an ordinary file descriptor. Stage 3 replaces them by the
// components of chapter 3, which work on slots of the ring's own table.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cstddef>
#include <span>

#include "01-core/lib/ring.hpp"
#include "03-network/lib/buffer_ring.hpp"

namespace stage {

class Accept : public lab::Completion {
 public:
  using Completion::Completion;
  void start(lab::Ring& ring, int listener) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
    ring.arm(sqe, *this);
  }
};

class Receive : public lab::Completion {
 public:
  using Completion::Completion;
  /// One buffer, filled with `bytes_max` at the most; 0: all of it.
  void start(lab::Ring& ring, int fd, const lab::BufferRing& buffers,
             unsigned bytes_max = 0) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, fd, nullptr, bytes_max, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers.group();
    ring.arm(sqe, *this);
  }
  /// No data yet: completes when the socket can take an answer.
  void start_when_writable(lab::Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_poll_add(sqe, fd, POLLOUT);
    ring.arm(sqe, *this);
  }
};

class Send : public lab::Completion {
 public:
  using Completion::Completion;
  void start(lab::Ring& ring, int fd, std::span<const std::byte> bytes) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), MSG_WAITALL | MSG_NOSIGNAL);
    ring.arm(sqe, *this);
  }
};

class Close : public lab::Completion {
 public:
  using Completion::Completion;
  void start(lab::Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_close(sqe, fd);
    ring.arm(sqe, *this);
  }
};

}  // namespace stage
