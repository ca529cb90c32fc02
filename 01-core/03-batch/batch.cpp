// shows: many requests in one system call, and answers in the order in which they are ready
// needs: Linux 5.4 (a timeout as an operation)
// try:   ./lab run 01-03 1000; then give two timers the same time and see which comes first
#include <liburing.h>

#include <cstdio>

#include "01-core/lesson.hpp"

namespace {

// [walk prepare]
void prepare_nop(io_uring& ring, unsigned index) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data64(sqe, 100 + index);
}
// [/walk]

// [walk peek]
// A NOP is done when submit returns, so its answer is in the shared memory already. Reading it
// takes no system call.
unsigned read_all_answers(io_uring& ring) {
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring, &cqe) == 0) {
    io_uring_cqe_seen(&ring, cqe);
    ++count;
  }
  return count;
}
// [/walk]

void one_by_one(io_uring& ring, unsigned count) {
  unsigned calls = 0;
  for (unsigned index = 0; index < count; ++index) {
    prepare_nop(ring, index);
    lab::need(io_uring_submit(&ring), "io_uring_submit");
    ++calls;
  }
  const unsigned answers = read_all_answers(ring);
  std::printf("one by one: %u calls, %u answers\n", calls, answers);
}

// [walk together]
void together(io_uring& ring, unsigned count) {
  for (unsigned index = 0; index < count; ++index) prepare_nop(ring, index);
  const unsigned prepared = io_uring_sq_ready(&ring);
  const int submitted = lab::need(io_uring_submit(&ring), "io_uring_submit");
  const unsigned answers = read_all_answers(ring);
  std::printf("together: %u prepared, one call took %d, %u answers\n", prepared, submitted,
              answers);
}
// [/walk]

// [walk timers]
// Three timers, one call. While submit takes an SQE, it copies the time that the SQE points to, so
// `times` has to live until submit has returned.
void start_three_timers(io_uring& ring) {
  const long long milliseconds[] = {30, 10, 20};
  __kernel_timespec times[3] = {};
  for (int index = 0; index < 3; ++index) {
    times[index].tv_nsec = milliseconds[index] * 1'000'000;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_timeout(sqe, &times[index], 0, 0);
    io_uring_sqe_set_data64(sqe, static_cast<unsigned long long>(milliseconds[index]));
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("asked for 30, 10, 20 ms\n");
}
// [/walk]

// [walk wait]
void print_three_answers(io_uring& ring) {
  for (int answer = 1; answer <= 3; ++answer) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    std::printf("answer %d: user_data %llu\n", answer, io_uring_cqe_get_data64(cqe));
    io_uring_cqe_seen(&ring, cqe);
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: how many NOPs (default 64)");
  const auto count = static_cast<unsigned>(lesson.argument(1, 64, 1, 4096));

  io_uring ring;
  lab::need(io_uring_queue_init(count < 4 ? 4 : count, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  one_by_one(ring, count);
  together(ring, count);
  start_three_timers(ring);
  print_three_answers(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
