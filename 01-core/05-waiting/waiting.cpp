// shows: the ways to wait for answers, and what ends a wait too soon: time and signals
// needs: Linux 5.11 (a timeout that is part of the waiting system call)
// try:   ./lab run 01-05; then give sigaction SA_RESTART and see whether -EINTR goes away
#include <liburing.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

// A read that is not done before somebody writes into the pipe.
void prepare_read(io_uring& ring, int pipe_read_end, char& byte) {
  io_uring_prep_read(io_uring_get_sqe(&ring), pipe_read_end, &byte, 1, 0);
}

// [walk timeout]
// The time ends the wait, not the request.
void wait_with_a_timeout(io_uring& ring, const int (&ends)[2]) {
  char byte = 0;
  prepare_read(ring, ends[0], byte);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec patience{.tv_sec = 0, .tv_nsec = 20'000'000};
  const int res = io_uring_wait_cqe_timeout(&ring, &cqe, &patience);
  std::printf("wait for 20 ms: %s\n", std::strerror(-res));

  lab::need_errno(static_cast<int>(write(ends[1], "a", 1)), "write");
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  std::printf("the read was still armed: res %d, byte %c\n", cqe->res, byte);
  io_uring_cqe_seen(&ring, cqe);
}
// [/walk]

// A signal, again and again until it has met the wait: a single one could come before it begins.
void ring_the_alarm(bool on) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  lab::need_errno(sigaction(SIGALRM, &action, nullptr), "sigaction");
  const timeval every{.tv_sec = 0, .tv_usec = on ? 20'000 : 0};
  const itimerval times{.it_interval = every, .it_value = every};
  lab::need_errno(setitimer(ITIMER_REAL, &times, nullptr), "setitimer");
}

// [walk signal]
// A signal also ends the wait. Nothing is lost: wait again.
void wait_with_a_signal(io_uring& ring, const int (&ends)[2]) {
  char byte = 0;
  prepare_read(ring, ends[0], byte);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  ring_the_alarm(true);
  io_uring_cqe* cqe = nullptr;
  int res = 0;
  while ((res = io_uring_wait_cqe(&ring, &cqe)) == -EINTR) {
    std::printf("wait: %s\n", std::strerror(-res));
    ring_the_alarm(false);
    lab::need_errno(static_cast<int>(write(ends[1], "b", 1)), "write");
  }
  lab::need(res, "io_uring_wait_cqe");
  std::printf("wait again: res %d, byte %c\n", cqe->res, byte);
  io_uring_cqe_seen(&ring, cqe);
}
// [/walk]

// [walk three]
// Submit and wait in one system call, and not for one answer but for three.
void submit_and_wait_for_three(io_uring& ring, const int (&ends)[2]) {
  char bytes[3];
  for (char& byte : bytes) prepare_read(ring, ends[0], byte);
  std::thread writer([&ends] {
    for (const char* byte : {"x", "y", "z"}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      lab::need_errno(static_cast<int>(write(ends[1], byte, 1)), "write");
    }
  });
  const int taken = lab::need(io_uring_submit_and_wait(&ring, 3), "io_uring_submit_and_wait");
  std::printf("one call: %d taken, %u answers\n", taken, io_uring_cq_ready(&ring));
  io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
  writer.join();
}
// [/walk]

// [walk two]
// A timeout request that expires ends every wait on its ring, however many answers were wanted.
void wait_for_two_beside_a_timer(io_uring& ring, const int (&ends)[2]) {
  char byte = 0;
  prepare_read(ring, ends[0], byte);
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = 10'000'000};
  io_uring_prep_timeout(io_uring_get_sqe(&ring), &time, 0, 0);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  std::printf("wanted 2 answers, a timer expired: %u answer\n", io_uring_cq_ready(&ring));

  lab::need_errno(static_cast<int>(write(ends[1], "c", 1)), "write");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe_nr(&ring, &cqe, 2), "io_uring_wait_cqe_nr");
  io_uring_cq_advance(&ring, 2);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  if ((ring.features & IORING_FEAT_EXT_ARG) == 0) lab::skip("needs Linux 5.11: a wait with a time");
  int ends[2];
  lab::need_errno(pipe(ends), "pipe");

  io_uring_cqe* cqe = nullptr;
  std::printf("peek: %s\n", std::strerror(-io_uring_peek_cqe(&ring, &cqe)));  // does not wait
  wait_with_a_timeout(ring, ends);
  wait_with_a_signal(ring, ends);
  submit_and_wait_for_three(ring, ends);
  wait_for_two_beside_a_timer(ring, ends);

  for (const int fd : ends) close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
