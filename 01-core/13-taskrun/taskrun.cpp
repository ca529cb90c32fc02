// shows: an operation that has finished has no CQE yet; the kernel makes it in your own thread
// needs: Linux 6.1 (IORING_SETUP_DEFER_TASKRUN)
// try:   ./lab run 01-13; then ./lab break 01-13 and see what the watchdog says
#include <liburing.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

using namespace std::chrono_literals;

// [walk looking]
// Makes no system call: it looks at the shared memory until the data has been there for a while.
bool only_looking_helps(io_uring& ring, const std::atomic<bool>& written) {
  while (!written && io_uring_cq_ready(&ring) == 0) {
  }
  const auto deadline = std::chrono::steady_clock::now() + 300ms;
  while (io_uring_cq_ready(&ring) == 0 && std::chrono::steady_clock::now() < deadline) {
  }
  return io_uring_cq_ready(&ring) > 0;
}
// [/walk]

// [walk events]
// Enters the kernel, submits nothing and waits for nothing: pending task work runs.
bool get_events_helps(io_uring& ring) {
  while (io_uring_cq_ready(&ring) == 0) {
    lab::need(io_uring_get_events(&ring), "io_uring_get_events");
  }
  return true;
}
// [/walk]

// [walk peek]
// liburing's peek enters the kernel by itself, but only where the ring says that work is pending.
bool peek_helps(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  return io_uring_peek_cqe(&ring, &cqe) == 0;
}
// [/walk]

void show(lab::Lesson& lesson, const char* name, unsigned flags) {
  io_uring ring;
  const int made = io_uring_queue_init(8, &ring, flags);
  if (made == -EINVAL) lab::skip(std::string("needs Linux 6.1: ") + name);
  lab::need(made, "io_uring_queue_init");
  lesson.watch(ring);

  int ends[2];
  lab::need_errno(pipe(ends), "pipe");
  char byte = 0;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, ends[0], &byte, 1, 0);
  lab::need(io_uring_submit(&ring), "io_uring_submit");

  // [walk writer]
  // The data comes from another thread: a system call of our own would also run the task work.
  std::atomic<bool> written = false;
  std::thread writer([&] {
    std::this_thread::sleep_for(20ms);
    lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write");
    written = true;
  });
  // [/walk]
  std::printf("%s\n", name);
  if (only_looking_helps(ring, written)) {
    std::printf("  only looking: the CQE came\n");
  } else {
    const bool flagged = (*ring.sq.kflags & IORING_SQ_TASKRUN) != 0;
    std::printf("  only looking: no CQE, and the ring %s\n",
                flagged ? "says that work is pending" : "says nothing");
    std::printf("  peek: %s\n", peek_helps(ring) ? "the CQE came" : "no CQE");
    if (get_events_helps(ring)) std::printf("  get_events: the CQE is there\n");
  }
  writer.join();
  close(ends[0]);
  close(ends[1]);
  io_uring_queue_exit(&ring);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  // [walk modes]
  constexpr unsigned defer = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  show(lesson, "default", 0);
  show(lesson, "COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN);
  show(lesson, "DEFER_TASKRUN", defer);
  show(lesson, "DEFER_TASKRUN and TASKRUN_FLAG", defer | IORING_SETUP_TASKRUN_FLAG);
  // [/walk]
  return lab::ok();
}
