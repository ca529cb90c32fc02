// shows: a full submission queue is a null pointer, and what to do then
// needs: Linux 5.1; the timers at the end Linux 5.4
// try:   ./lab run 01-07 1000; then make the ring larger and count the submits again
#include <liburing.h>

#include <cstdio>

#include "01-core/lesson.hpp"

namespace {

unsigned submits = 0;

void submit(io_uring& ring) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  ++submits;
}

unsigned read_answers(io_uring& ring) {
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring, &cqe) == 0) {
    io_uring_cqe_seen(&ring, cqe);
    ++count;
  }
  return count;
}

// [walk fill]
void fill(io_uring& ring) {
  unsigned filled = 0;
  while (io_uring_sqe* sqe = io_uring_get_sqe(&ring)) {
    io_uring_prep_nop(sqe);
    ++filled;
  }
  std::printf("%u SQEs, then a null pointer\n", filled);
  submit(ring);
  std::printf("after submit: room for %u\n", io_uring_sq_space_left(&ring));
  std::printf("answers: %u\n", read_answers(ring));
}
// [/walk]

// [walk get-sqe]
// When submit returns, the kernel has its own copy of every SQE, done or not. So there is room
// again, and the second attempt succeeds.
io_uring_sqe* get_sqe(io_uring& ring) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (sqe != nullptr) return sqe;
  submit(ring);
  sqe = io_uring_get_sqe(&ring);
  if (sqe == nullptr) lab::fail("no room after a submit");
  return sqe;
}
// [/walk]

// [walk many]
void many_nops(io_uring& ring, long count) {
  submits = 0;
  unsigned answers = 0;
  for (long index = 0; index < count; ++index) {
    io_uring_sqe* sqe = get_sqe(ring);
    io_uring_prep_nop(sqe);
    answers += read_answers(ring);
  }
  submit(ring);
  answers += read_answers(ring);
  std::printf("%ld NOPs: %u submits, %u answers\n", count, submits, answers);
}
// [/walk]

// [walk in-flight]
// The queue bounds what goes out in one call. It does not bound what is in flight.
void more_in_flight_than_entries(io_uring& ring) {
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 50'000'000};
  for (int index = 0; index < 6; ++index) {
    io_uring_sqe* sqe = get_sqe(ring);
    io_uring_prep_timeout(sqe, &time, 0, 0);
  }
  submit(ring);
  unsigned answers = 0;
  while (answers < 6) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    answers += read_answers(ring);
  }
  std::printf("6 timers at once in a ring of 4: %u answers\n", answers);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: how many NOPs (default 64)");
  const long count = lesson.argument(1, 64, 1, 1'000'000);
  io_uring ring;
  lab::need(io_uring_queue_init(4, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  fill(ring);
  many_nops(ring, count);
  more_in_flight_than_entries(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
