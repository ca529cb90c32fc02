// shows: a file that reaches a socket through a pipe, and never this program's memory
// needs: Linux 5.7 (tee: 5.8); an optional part needs Linux 6.16
// try:   ./lab run 02-06; then make the pipe smaller with F_SETPIPE_SZ and count the rounds
#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/compat.hpp"
#include "01-core/lesson.hpp"

namespace {

constexpr unsigned step_max = 64 * 1024;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  return {ends[0], ends[1]};
}

int answer(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

// [walk splice]
// One side has to be a pipe: it is the buffer, in the kernel. -1 as offset: a pipe has no places,
// and the file's own position moves on.
int splice(io_uring& ring, int from, int to) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_splice(sqe, from, -1, to, -1, step_max, 0);
  return answer(ring);
}
// [/walk]

// [walk send-file]
// What went into the pipe has to come out before more fits in, and may come out in pieces.
long send_file(io_uring& ring, int file, const Pipe& pipe, int socket) {
  long moved = 0;
  for (int rounds = 0;; ++rounds) {
    int in_pipe = lab::need(splice(ring, file, pipe.write_end), "splice from the file");
    if (in_pipe == 0) {
      std::printf("# %d rounds\n", rounds);
      return moved;
    }
    while (in_pipe > 0) {
      const int out = lab::need(splice(ring, pipe.read_end, socket), "splice to the socket");
      in_pipe -= out;
      moved += out;
    }
  }
}
// [/walk]

// Tee copies what is in one pipe into another and takes nothing out.
void duplicate(io_uring& ring) {
  // [walk tee]
  const Pipe from = make_pipe();
  const Pipe to = make_pipe();
  lab::need_errno(static_cast<int>(write(from.write_end, "twice", 5)), "write");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_tee(sqe, from.read_end, to.write_end, step_max, 0);
  const int copied = lab::need(answer(ring), "tee");
  // [/walk]
  for (const Pipe& pipe : {from, to}) {
    char text[8] = "";
    lab::need_errno(static_cast<int>(read(pipe.read_end, text, sizeof text - 1)), "read");
    std::printf("tee of %d bytes, in the %s pipe: %s\n", copied,
                pipe.read_end == from.read_end ? "first" : "second", text);
    close(pipe.read_end);
    close(pipe.write_end);
  }
}

// liburing 2.9 has no helper for this operation, so the SQE is filled by hand.
void pipe_operation(io_uring& ring) {
  // [walk pipe]
  int ends[2] = {-1, -1};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_rw(lab::compat::op_pipe, sqe, 0, ends, 0, 0);
  const int res = answer(ring);
  // [/walk]
  if (res == -EINVAL) {
    std::printf("skip pipe operation: needs Linux 6.16\n");
    return;
  }
  lab::need(res, "pipe");
  std::printf("a pipe made by an operation: %s\n", ends[0] >= 0 && ends[1] >= 0 ? "yes" : "no");
  close(ends[0]);
  close(ends[1]);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  const std::string bytes(150'000, 'x');
  const int file = lab::need_errno(memfd_create("file", MFD_CLOEXEC), "memfd_create");
  lab::need_errno(static_cast<int>(write(file, bytes.data(), bytes.size())), "write");
  lseek(file, 0, SEEK_SET);
  int sockets[2];
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), "socketpair");
  const int room = 1 << 20;
  lab::need_errno(setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), "SO_SNDBUF");

  const Pipe pipe = make_pipe();
  const long moved = send_file(ring, file, pipe, sockets[0]);
  std::printf("moved to the socket: %ld bytes\n", moved);
  close(sockets[0]);
  std::string received(200'000, '\0');
  std::size_t filled = 0;
  ssize_t got = 0;
  while ((got = read(sockets[1], received.data() + filled, received.size() - filled)) > 0) {
    filled += static_cast<std::size_t>(got);
  }
  received.resize(filled);
  std::printf("received the same: %s\n", received == bytes ? "yes" : "no");

  duplicate(ring);
  pipe_operation(ring);

  for (const int fd : {file, pipe.read_end, pipe.write_end, sockets[1]}) close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
