// What both programs of the errno cookbook need: one line per row of docs/errno.md.
#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"

namespace lab {

/// Prints the case and the errno's name, or the number when it is not negative.
inline void row(const char* what, int res) {
  if (res < 0) {
    std::printf("%s: %s\n", what, strerrorname_np(-res));
  } else {
    std::printf("%s: %d\n", what, res);
  }
}

/// A ring that is gone at the end of its row.
struct SmallRing {
  explicit SmallRing(unsigned flags = 0, unsigned entries = 8) {
    need(io_uring_queue_init(entries, &ring, flags), "io_uring_queue_init");
  }
  ~SmallRing() { io_uring_queue_exit(&ring); }
  SmallRing(const SmallRing&) = delete;
  SmallRing& operator=(const SmallRing&) = delete;

  io_uring_sqe* sqe() { return io_uring_get_sqe(&ring); }

  /// Submits what is prepared and takes one CQE; -ETIME when none comes within a second.
  int answer(unsigned* flags = nullptr) {
    need(io_uring_submit(&ring), "io_uring_submit");
    __kernel_timespec limit{.tv_sec = 1, .tv_nsec = 0};
    io_uring_cqe* cqe = nullptr;
    const int waited = io_uring_wait_cqe_timeout(&ring, &cqe, &limit);
    if (waited < 0) fail("no CQE came");
    const int res = cqe->res;
    if (flags != nullptr) *flags = cqe->flags;
    io_uring_cqe_seen(&ring, cqe);
    return res;
  }

  io_uring ring{};
};

}  // namespace lab
