// What step 4 built, for steps 5 and 6: the ring, its file table, the accept and the loop. Nothing
// is new here; step4_direct.cpp explains it.
#pragma once

#include <liburing.h>

#include <cerrno>

#include "docs/from-epoll/service.hpp"

namespace lab {

struct DirectService : Service {
  static constexpr unsigned slots = 1000;

  explicit DirectService(const Lesson& lesson) : Service(lesson) {
    const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    need(io_uring_queue_init(256, &ring, flags), "io_uring_queue_init");
    need(io_uring_register_files_sparse(&ring, slots), "io_uring_register_files_sparse");
    start_accept();
  }
  ~DirectService() { io_uring_queue_exit(&ring); }
  DirectService(const DirectService&) = delete;
  DirectService& operator=(const DirectService&) = delete;

  io_uring_sqe* next_sqe() { return Service::next_sqe(ring); }

  /// Its CQEs have user_data 0. The first of each client has the slot in res.
  void start_accept() {
    accepting = true;
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_multishot_accept_direct(sqe, listener, nullptr, nullptr, 0);
    io_uring_sqe_set_data64(sqe, 0);
  }

  /// The new client's slot, or a negative number when there is none.
  int on_accept(const io_uring_cqe& cqe) {
    accepting = (cqe.flags & IORING_CQE_F_MORE) != 0;
    if (!accepting && cqe.res != -ENFILE) start_accept();
    return cqe.res;
  }

  /// The caller gives it its user_data.
  io_uring_sqe* prep_close(int slot) {
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_close_direct(sqe, static_cast<unsigned>(slot));
    return sqe;
  }

  void on_closed() {
    --clients_left;
    if (!accepting) start_accept();
  }

  /// One round: submits, waits for `wait` CQEs, and hands each one that is there to the handler.
  template <class Handler>
  void round(unsigned wait, Handler&& handler) {
    ++system_calls;
    const int entered = io_uring_submit_and_wait(&ring, wait);
    if (entered != -EINTR) need(entered, "io_uring_submit_and_wait");
    io_uring_cqe* next = nullptr;
    while (io_uring_peek_cqe(&ring, &next) == 0) {
      const io_uring_cqe cqe = *next;
      io_uring_cqe_seen(&ring, next);
      handler(cqe);
    }
  }

  io_uring ring{};
  bool accepting = false;
};

}  // namespace lab
