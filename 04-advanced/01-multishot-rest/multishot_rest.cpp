// shows: a poll as a multishot operation: one SQE, and a CQE whenever the file changes
// needs: Linux 5.13
// try:   ./lab run 04-01; then write twice in a round, and see how many CQEs come
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"

namespace {

enum : unsigned { poll_data = 1, remove_data = 2 };  // what a CQE is about

struct Pipe {
  Pipe() { lab::need_errno(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2"); }
  ~Pipe() { close(ends[0]), close(ends[1]); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void put(const char* text) const {
    lab::need_errno(static_cast<int>(write(ends[1], text, std::strlen(text))), "write");
  }
  void take_bytes() const {
    for (char byte = 0; read(ends[0], &byte, 1) == 1;) continue;
  }

  int ends[2]{};
};

// The next CQE, or res -ETIME when none comes within 20 ms.
io_uring_cqe next_cqe(io_uring& ring) {
  __kernel_timespec patience{.tv_sec = 0, .tv_nsec = 20'000'000};
  io_uring_cqe* cqe = nullptr;
  io_uring_cqe copy{.res = -ETIME};
  if (io_uring_wait_cqe_timeout(&ring, &cqe, &patience) != 0) return copy;
  copy = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

// [walk still-armed]
// A CQE without F_MORE is the last one, whatever its `res` says.
bool still_armed(const io_uring_cqe& cqe) { return (cqe.flags & IORING_CQE_F_MORE) != 0; }
// [/walk]

// [walk arm]
void arm_poll(io_uring& ring, int fd) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_multishot(sqe, fd, POLLIN);
  io_uring_sqe_set_data64(sqe, poll_data);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

// [walk handle]
// Handles CQEs until it is quiet, returns how many came.
int handle(io_uring& ring, const Pipe& pipe) {
  for (int count = 0;; ++count) {
    const io_uring_cqe cqe = next_cqe(ring);
    if (cqe.res == -ETIME) return count;
    lab::need(cqe.res, "the poll");  // a new poll would have the same error
    pipe.take_bytes();
    if (!still_armed(cqe)) arm_poll(ring, pipe.ends[0]);
  }
}
// [/walk]

void show_poll(io_uring& ring) {
  const Pipe pipe;
  arm_poll(ring, pipe.ends[0]);
  for (int round = 1; round <= 3; ++round) {
    pipe.put("abcd");
    std::printf("  write %d: CQEs: %d\n", round, handle(ring, pipe));
  }

  pipe.put("abcd");
  next_cqe(ring);
  std::printf("  nobody reads the fourth: CQEs after the first: %d\n",
              next_cqe(ring).res == -ETIME ? 0 : 1);

  // [walk remove]
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_remove(sqe, poll_data);
  io_uring_sqe_set_data64(sqe, remove_data);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  for (int count = 0; count < 2; ++count) {
    const io_uring_cqe cqe = next_cqe(ring);
    if (cqe.user_data != poll_data) continue;
    std::printf("  removed: %s, still armed: %s\n", std::strerror(-cqe.res),
                still_armed(cqe) ? "yes" : "no");
  }
  // [/walk]
}

// [walk full-queue]
// The CQ has 16 places. A multishot poll that finds no place for its CQE gives up.
void show_full_queue(io_uring& ring) {
  const Pipe pipe;
  arm_poll(ring, pipe.ends[0]);
  for (int count = 0; count < 20; ++count) pipe.put("a");
  io_uring_cqe last = next_cqe(ring);
  while (still_armed(last)) last = next_cqe(ring);  // -ETIME has no F_MORE, so it ends here as well
  std::printf("  20 writes: still armed: %s; ", last.res == -ETIME ? "yes" : "no");
  pipe.put("a");
  std::printf("one more write: CQEs: %d\n", next_cqe(ring).res == -ETIME ? 0 : 1);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");  // its CQ has 16 places
  lesson.watch(ring);

  std::printf("poll multishot on a pipe, one SQE\n");
  show_poll(ring);
  std::printf("poll multishot, and nobody reads the queue\n");
  show_full_queue(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
