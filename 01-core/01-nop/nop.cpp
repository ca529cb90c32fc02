// shows: one operation from beginning to end, the smallest there is
// needs: Linux 5.1
// try:   ./lab run 01-01; then change the number in user_data and run it again
#include <liburing.h>

#include <cstdio>

#include "01-core/lesson.hpp"

int main(int argc, char** argv) {
  // [walk ring]
  lab::Lesson lesson(argc, argv);

  // Two queues in memory that this program and the kernel share, with room for 8 requests.
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  // [/walk]

  // [walk fill]
  // 1. Take a free entry (an SQE) and write into it what the kernel should do: nothing at all.
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data64(sqe, 42);
  // [/walk]

  // [walk submit]
  // 2. Tell the kernel that there is an entry.
  const int submitted = lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("submitted: %d\n", submitted);
  // [/walk]

  // [walk read]
  // 3. The answer (a CQE) arrives in the other queue. Read it, then give its place back.
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  std::printf("user_data: %llu\n", io_uring_cqe_get_data64(cqe));
  std::printf("res: %d\n", cqe->res);
  io_uring_cqe_seen(&ring, cqe);
  // [/walk]

  io_uring_queue_exit(&ring);
  return lab::ok();
}
