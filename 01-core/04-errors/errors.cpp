// shows: where io_uring says that something went wrong: three places, and none of them is errno
// needs: Linux 5.6 (a read as an operation); SUBMIT_ALL Linux 5.18
// try:   ./lab run 01-04; then read from offset 6 of the file, or from a folder
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

// [walk set-up]
// Place 1: the return value of a set-up call is 0 or -errno.
void set_up() {
  io_uring ring;
  int res = io_uring_queue_init(0, &ring, 0);
  std::printf("a ring of 0 entries: %s\n", std::strerror(-res));
  res = io_uring_queue_init(8, &ring, 1U << 31);
  std::printf("a flag that does not exist: %s\n", std::strerror(-res));
}
// [/walk]

// [walk three]
// The second of the three asks for an operation that does not exist.
void prepare_three(io_uring& ring) {
  for (unsigned long long index = 1; index <= 3; ++index) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    if (index == 2) sqe->opcode = 255;
    io_uring_sqe_set_data64(sqe, index);
  }
}
// [/walk]

// By request: on Linux 6.1 the CQE of the bad one comes first.
void print_answers(io_uring& ring) {
  int results[3]{};
  unsigned came = 0;
  for (io_uring_cqe* cqe = nullptr; io_uring_peek_cqe(&ring, &cqe) == 0; ++came) {
    results[io_uring_cqe_get_data64(cqe) - 1] = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  for (unsigned index = 0; index < came; ++index) {
    std::printf("request %u: res %d\n", index + 1, results[index]);
  }
}

// [walk submit]
// Place 2: submit returns how many SQEs it took. A bad one counts, gets a CQE and ends the batch.
void batch_with_a_bad_request(unsigned setup_flags) {
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, setup_flags), "io_uring_queue_init");
  prepare_three(ring);
  const int taken = lab::need(io_uring_submit(&ring), "io_uring_submit");
  std::printf("of 3 requests submit took %d, %u left\n", taken, io_uring_sq_ready(&ring));
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  print_answers(ring);
  io_uring_queue_exit(&ring);
}
// [/walk]

// [walk read]
// Place 3: the result is in the CQE. Only one request is in flight, so it needs no user_data.
int read_once(io_uring& ring, int fd, char* buffer, unsigned size, unsigned long long offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, fd, buffer, size, offset);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}
// [/walk]

// [walk failing]
void failing_read(io_uring& ring) {
  char buffer[64];
  errno = 0;
  const int res = read_once(ring, -1, buffer, sizeof buffer, 0);
  std::printf("read from fd -1: res %d, errno %d\n", res, errno);
  std::printf("in words: %s\n", std::strerror(-res));
}
// [/walk]

// Fewer bytes than asked for is a success. Nothing but the number tells.
void short_reads(io_uring& ring) {
  const std::string path = lab::temporary_folder() + "/ten_bytes";
  const int file = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(file, "0123456789", 10)), "write");
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  lab::need_errno(static_cast<int>(write(ends[1], "abc", 3)), "write");

  // [walk short]
  char buffer[64];
  std::printf("64 bytes of a file of 10: %d\n", read_once(ring, file, buffer, sizeof buffer, 0));
  std::printf("64 bytes at its end: %d\n", read_once(ring, file, buffer, sizeof buffer, 10));
  std::printf("64 bytes of a pipe with 3: %d\n",
              read_once(ring, ends[0], buffer, sizeof buffer, 0));
  // [/walk]
  for (const int fd : {file, ends[0], ends[1]}) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  set_up();
  batch_with_a_bad_request(0);
  std::printf("and with IORING_SETUP_SUBMIT_ALL:\n");
  batch_with_a_bad_request(IORING_SETUP_SUBMIT_ALL);

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  failing_read(ring);
  short_reads(ring);

  io_uring_queue_exit(&ring);
  return lab::ok();
}
