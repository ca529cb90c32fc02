// shows: a read may bring less than was asked for, a write may take less, and 0 is the end
// needs: Linux 5.6
// try:   ./lab run 02-01 README.md; then echo hello | ./lab run 02-01 /dev/stdin
#include <fcntl.h>
#include <liburing.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

// Offset -1 means: from the file's own position, and move it. Pipes and terminals have no other.
constexpr __u64 own_position = ~0ULL;

int answer(io_uring& ring) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

// [walk read]
int read_some(io_uring& ring, int fd, char* buffer, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, fd, buffer, size, own_position);
  return lab::need(answer(ring), "read");
}
// [/walk]

// [walk write]
void write_all(io_uring& ring, int fd, const char* bytes, unsigned size) {
  while (size > 0) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, fd, bytes, size, own_position);
    const int written = lab::need(answer(ring), "write");
    bytes += written;
    size -= static_cast<unsigned>(written);
  }
}
// [/walk]

// [walk cat]
// Returns how many reads it took, the last one included, which says that nothing more comes.
int cat(io_uring& ring, int from, int to) {
  char buffer[4096];
  int reads = 0;
  for (;;) {
    const int got = read_some(ring, from, buffer, sizeof buffer);
    ++reads;
    if (got == 0) return reads;
    write_all(ring, to, buffer, static_cast<unsigned>(got));
  }
}
// [/walk]

void cat_file(io_uring& ring, const char* path) {
  const int fd = lab::need_errno(open(path, O_RDONLY | O_CLOEXEC), path);
  cat(ring, fd, STDOUT_FILENO);
  close(fd);
}

// A reader of a pipe gets what is there, not what it asked for. The second piece comes when the
// first was read.
void cat_pipe(io_uring& ring) {
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  std::thread feeder([&ends] {
    for (const std::string piece : {"the first piece, ", "and the second\n"}) {
      for (int unread = 1; unread > 0; usleep(1000)) ioctl(ends[0], FIONREAD, &unread);
      lab::need_errno(static_cast<int>(write(ends[1], piece.data(), piece.size())), "write");
    }
    close(ends[1]);
  });
  std::printf("reads of a pipe: %d\n", cat(ring, ends[0], STDOUT_FILENO));
  feeder.join();
  close(ends[0]);
}

// [walk full]
// A writer that may not block gets rid of what there is room for.
void write_to_full_pipe(io_uring& ring) {
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
  const int room = lab::need_errno(fcntl(ends[1], F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
  const std::string bytes(10'000, 'x');
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, ends[1], bytes.data(), 10'000, own_position);
  std::printf("room for all: %s, all written: %s\n", room >= 10'000 ? "yes" : "no",
              answer(ring) == 10'000 ? "yes" : "no");
  close(ends[0]);
  close(ends[1]);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[FILE]: what to print instead of the lesson's own file");
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  if (argc > 1) {
    cat_file(ring, argv[1]);
  } else {
    const std::string path = lab::temporary_folder() + "/song";
    const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
    write_all(ring, fd, "a first line\na second line\n", 27);
    lseek(fd, 0, SEEK_SET);
    std::printf("reads of a short file: %d\n", cat(ring, fd, STDOUT_FILENO));
    close(fd);
    cat_pipe(ring);
    write_to_full_pipe(ring);
  }
  io_uring_queue_exit(&ring);
  return lab::ok();
}
