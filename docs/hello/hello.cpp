// The smallest program that does something: reads a file with io_uring and prints it. README.md and
// docs/how-io_uring-works.md show its heart.
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  const int file = open(argc > 1 ? argv[1] : "/proc/version", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 1;
  // [walk heart]
  io_uring ring;
  if (io_uring_queue_init(8, &ring, 0) < 0) return 1;  // two queues in shared memory

  char text[256];
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);  // a request: read from `file` into `text`
  io_uring_prep_read(sqe, file, text, sizeof text, 0);
  if (io_uring_submit_and_wait(&ring, 1) < 0) return 1;  // one system call submits it, and waits

  io_uring_cqe* cqe = nullptr;  // the answer: how many bytes were read, or an error
  if (io_uring_peek_cqe(&ring, &cqe) < 0 || cqe->res < 0) return 1;
  std::printf("%.*s", cqe->res, text);
  io_uring_cqe_seen(&ring, cqe);  // its place in the queue is free again
  // [/walk]
  io_uring_queue_exit(&ring);
  close(file);
}
