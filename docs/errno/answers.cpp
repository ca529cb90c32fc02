// shows: negative res: the rows of docs/errno.md that come in a CQE
// needs: Linux 6.1
// try:   build/release/bin/errno-answers
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "03-network/loopback.hpp"
#include "docs/errno/rows.hpp"

namespace {

using lab::row;
using lab::SmallRing;

constexpr int not_open = 9999;
std::array<char, 64> bytes;

// Prepares one SQE, submits it, takes the answer.
template <class Prepare>
int answer_to(SmallRing& one, Prepare prepare) {
  io_uring_sqe* sqe = one.sqe();
  prepare(sqe);
  return one.answer();
}

template <class Prepare>
void case_of(const char* what, SmallRing& one, Prepare prepare) {
  row(what, answer_to(one, prepare));
}

void any_rows(int file) {
  SmallRing one;
  void* nowhere = reinterpret_cast<void*>(8);
  case_of("READ: not open", one, [](auto sqe) { io_uring_prep_read(sqe, not_open, &bytes, 8, 0); });
  case_of("READ: not mapped", one, [&](auto sqe) { io_uring_prep_read(sqe, file, nowhere, 8, 0); });
  case_of("WRITE: a read-only descriptor", one,
          [&](auto sqe) { io_uring_prep_write(sqe, file, &bytes, 8, 0); });
  case_of("unknown opcode", one, [](auto sqe) { sqe->opcode = 250; });
  case_of("NOP: unknown SQE flag", one, [](auto sqe) {
    io_uring_prep_nop(sqe);
    sqe->flags = 0x80;
  });
  case_of("NOP: unknown personality", one, [](auto sqe) {
    io_uring_prep_nop(sqe);
    sqe->personality = 77;
  });
  case_of("NOP: BUFFER_SELECT", one, [](auto sqe) {
    io_uring_prep_nop(sqe);
    sqe->flags = IOSQE_BUFFER_SELECT;
  });
  case_of("OPENAT: no such file", one,
          [](auto sqe) { io_uring_prep_openat(sqe, AT_FDCWD, "/does/not/exist", 0, 0); });
  case_of("READ_FIXED: nothing is registered", one,
          [&](auto sqe) { io_uring_prep_read_fixed(sqe, file, &bytes, 8, 0, 0); });
  case_of("ASYNC_CANCEL: nothing has this mark", one,
          [](auto sqe) { io_uring_prep_cancel64(sqe, 12345, 0); });
  case_of("POLL_REMOVE: nothing has this mark", one,
          [](auto sqe) { io_uring_prep_poll_remove(sqe, 12345); });
  __kernel_timespec soon{.tv_sec = 0, .tv_nsec = 1'000'000};
  case_of("TIMEOUT: it fires", one, [&](auto sqe) { io_uring_prep_timeout(sqe, &soon, 0, 0); });
  case_of("LINK_TIMEOUT: nothing before it", one,
          [&](auto sqe) { io_uring_prep_link_timeout(sqe, &soon, 0); });
  io_uring_sqe* skipped = one.sqe();
  io_uring_prep_nop(skipped);
  skipped->flags = IOSQE_CQE_SKIP_SUCCESS;
  case_of("IO_DRAIN: a CQE was skipped before", one, [](auto sqe) {
    io_uring_prep_nop(sqe);
    sqe->flags = IOSQE_IO_DRAIN;
  });
}

void table_rows() {
  SmallRing one;
  const auto read_slot = [](auto sqe) {
    io_uring_prep_read(sqe, 0, &bytes, 8, 0);
    sqe->flags = IOSQE_FIXED_FILE;
  };
  const auto socket_in = [](unsigned slot, int type) {
    return [=](auto sqe) { io_uring_prep_socket_direct(sqe, AF_INET, type, 0, slot, 0); };
  };
  const auto any = static_cast<unsigned>(IORING_FILE_INDEX_ALLOC);
  case_of("FIXED_FILE: no table", one, read_slot);
  lab::need(io_uring_register_files_sparse(&one.ring, 2), "io_uring_register_files_sparse");
  case_of("FIXED_FILE: an empty slot", one, read_slot);
  case_of("CLOSE: an empty slot", one, [](auto sqe) { io_uring_prep_close_direct(sqe, 1); });
  case_of("CLOSE: behind the table", one, [](auto sqe) { io_uring_prep_close_direct(sqe, 9); });
  case_of("SOCKET: behind the table", one, socket_in(9, SOCK_STREAM));
  case_of("SOCKET: a slot with CLOEXEC", one, socket_in(any, SOCK_STREAM | SOCK_CLOEXEC));
  for (int slot = 0; slot < 2; ++slot)
    lab::need(answer_to(one, socket_in(any, SOCK_STREAM)), "slot");
  case_of("SOCKET: the table is full", one, socket_in(any, SOCK_STREAM));
}

void socket_rows(int pipe_end) {
  SmallRing one;
  const auto [server, client] = lab::connected_pair();
  const auto select = [](io_uring_sqe* sqe) {
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = 3;
  };
  case_of("RECV: MSG_DONTWAIT, no data", one,
          [&](auto sqe) { io_uring_prep_recv(sqe, server, &bytes, 8, MSG_DONTWAIT); });
  case_of("RECV: multishot without BUFFER_SELECT", one,
          [&](auto sqe) { io_uring_prep_recv_multishot(sqe, server, &bytes, 8, 0); });
  case_of("RECV: multishot with MSG_WAITALL", one, [&](auto sqe) {
    io_uring_prep_recv_multishot(sqe, server, nullptr, 0, MSG_WAITALL);
    select(sqe);
  });
  case_of("RECV: no such buffer group", one, [&](auto sqe) {
    io_uring_prep_recv(sqe, server, nullptr, 0, 0);
    select(sqe);
  });
  case_of("SEND: a pipe", one, [&](auto sqe) { io_uring_prep_send(sqe, pipe_end, "x", 1, 0); });
  case_of("ACCEPT: it does not listen", one,
          [&](auto sqe) { io_uring_prep_accept(sqe, server, nullptr, nullptr, 0); });
  case_of("ASYNC_CANCEL: by a descriptor that is not open", one,
          [](auto sqe) { io_uring_prep_cancel_fd(sqe, not_open, 0); });

  const linger at_once{.l_onoff = 1, .l_linger = 0};
  lab::need_errno(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
  close(client);
  usleep(20'000);  // the reset arrives
  case_of("SEND: after the peer's reset", one,
          [&](auto sqe) { io_uring_prep_send(sqe, server, "x", 1, 0); });
  case_of("SEND: once more", one, [&](auto sqe) { io_uring_prep_send(sqe, server, "x", 1, 0); });
  case_of("RECV: after both", one,
          [&](auto sqe) { io_uring_prep_recv(sqe, server, &bytes, 8, 0); });
  close(server);
}

void ring_rows(int file, int pipe_end) {
  SmallRing one;
  SmallRing disabled(IORING_SETUP_R_DISABLED);
  case_of("MSG_RING: a pipe", one,
          [&](auto sqe) { io_uring_prep_msg_ring(sqe, pipe_end, 1, 1, 0); });
  case_of("MSG_RING: a disabled ring", one,
          [&](auto sqe) { io_uring_prep_msg_ring(sqe, disabled.ring.ring_fd, 1, 1, 0); });
  SmallRing polled(IORING_SETUP_IOPOLL);
  case_of("IOPOLL: a read through the cache", polled,
          [&](auto sqe) { io_uring_prep_read(sqe, file, &bytes, 8, 0); });
}

void write_rows() {
  SmallRing one;
  const int full = lab::need_errno(open("/dev/full", O_WRONLY | O_CLOEXEC), "/dev/full");
  case_of("WRITE: a full disk", one, [&](auto sqe) { io_uring_prep_write(sqe, full, "x", 1, 0); });
  close(full);
  const int folder = lab::need_errno(open("/", O_RDONLY | O_CLOEXEC), "/");
  case_of("READ: a folder", one, [&](auto sqe) { io_uring_prep_read(sqe, folder, &bytes, 8, 0); });
  close(folder);
  int ends[2];
  lab::need_errno(pipe(ends), "pipe");
  close(ends[0]);
  std::signal(SIGPIPE, SIG_IGN);  // WRITE raises it, SEND does not
  case_of("WRITE: a pipe that nobody reads", one,
          [&](auto sqe) { io_uring_prep_write(sqe, ends[1], "x", 1, 0); });
  close(ends[1]);

  const std::string path = lab::temporary_folder() + "/file";
  const int file = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_FSIZE, &limit), "getrlimit");
  const rlimit ten{.rlim_cur = 10, .rlim_max = limit.rlim_max};
  lab::need_errno(setrlimit(RLIMIT_FSIZE, &ten), "setrlimit");
  const char* text = "hello hello hello";
  const int first = answer_to(one, [&](auto sqe) { io_uring_prep_write(sqe, file, text, 17, 0); });
  const int next = answer_to(one, [&](auto sqe) { io_uring_prep_write(sqe, file, text, 17, 10); });
  lab::need_errno(setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");  // it is for our output, too
  row("WRITE: 17 bytes, the limit is 10", first);
  row("WRITE: the rest of it", next);
  close(file);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const int file = lab::need_errno(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open");
  int ends[2];
  lab::need_errno(pipe(ends), "pipe");
  any_rows(file);
  table_rows();
  socket_rows(ends[1]);
  ring_rows(file, ends[1]);
  write_rows();
  for (const int fd : {file, ends[0], ends[1]}) close(fd);
  return lab::ok();
}
