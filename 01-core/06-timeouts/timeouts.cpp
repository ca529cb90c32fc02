// shows: a timer as a request: relative, absolute, by count, changed, removed, and repeated
// needs: Linux 5.5; the change Linux 5.11, the repetition Linux 6.4
// try:   ./lab run 01-06; then remove a timer with a user_data that nobody has
#include <liburing.h>

#include <cstdio>
#include <cstring>
#include <ctime>

#include "01-core/lesson.hpp"

namespace {

constexpr __kernel_timespec twenty_ms{.tv_sec = 0, .tv_nsec = 20'000'000};
constexpr __kernel_timespec one_hour{.tv_sec = 3600, .tv_nsec = 0};

// [walk submit]
// The SQE holds the address of the time, not the time. The kernel copies it during submit, so it
// has to live until then, and no longer.
void submit_timer(io_uring& ring, __kernel_timespec time, unsigned count, unsigned flags) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout(sqe, &time, count, flags);
  io_uring_sqe_set_data64(sqe, 1);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

// [walk print]
// The answer of a timer that did its work is -ETIME.
void print_answers(io_uring& ring, const char* what, int count) {
  for (int answer = 0; answer < count; ++answer) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    std::printf("%s: request %llu, %s%s\n", what, io_uring_cqe_get_data64(cqe),
                std::strerror(-cqe->res), (cqe->flags & IORING_CQE_F_MORE) != 0 ? ", more" : "");
    io_uring_cqe_seen(&ring, cqe);
  }
}
// [/walk]

// The clock that a timer goes by, unless a flag names another one.
long long now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

// [walk absolute]
// Not "in 20 ms" but "at that moment". A moment that has passed is answered at once.
void absolute(io_uring& ring) {
  const long long moment_ns = now_ns() + 20'000'000;
  const __kernel_timespec moment{.tv_sec = moment_ns / 1'000'000'000,
                                 .tv_nsec = moment_ns % 1'000'000'000};
  submit_timer(ring, moment, 0, IORING_TIMEOUT_ABS);
  print_answers(ring, "at a moment", 1);
  std::printf("too early: %s\n", now_ns() < moment_ns ? "yes" : "no");
  submit_timer(ring, moment, 0, IORING_TIMEOUT_ABS);
  print_answers(ring, "the same moment again", 1);
}
// [/walk]

// [walk count]
// The time is over, or this many other requests are done: whichever comes first.
void by_count(io_uring& ring) {
  submit_timer(ring, one_hour, 2, 0);
  for (const unsigned long long number : {2ULL, 3ULL}) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, number);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  print_answers(ring, "an hour or 2 answers", 3);
}
// [/walk]

// [walk changed]
// A timer is found by its user_data. The change is a request of its own, and has its own answer.
void changed(io_uring& ring) {
  submit_timer(ring, one_hour, 0, 0);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  __kernel_timespec sooner = twenty_ms;
  io_uring_prep_timeout_update(sqe, &sooner, 1, 0);
  io_uring_sqe_set_data64(sqe, 2);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  print_answers(ring, "from an hour to 20 ms", 2);
}
// [/walk]

void removed(io_uring& ring) {
  submit_timer(ring, one_hour, 0, 0);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_timeout_remove(sqe, 1, 0);
  io_uring_sqe_set_data64(sqe, 2);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  print_answers(ring, "removed", 2);
}

// [walk repeated]
// With MULTISHOT the count says how often; 0 is without end. F_MORE: another answer will come.
void repeated(io_uring& ring) {
  submit_timer(ring, twenty_ms, 3, IORING_TIMEOUT_MULTISHOT);
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res == -EINVAL) {
    std::printf("skip repeated: needs Linux 6.4\n");
    io_uring_cqe_seen(&ring, cqe);
    return;
  }
  print_answers(ring, "every 20 ms", 3);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  submit_timer(ring, twenty_ms, 0, 0);
  print_answers(ring, "in 20 ms", 1);
  absolute(ring);
  by_count(ring);
  changed(ring);
  removed(ring);
  repeated(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
