// shows: one SQE that accepts many connections; how it ends without descriptors (-EMFILE, nobody is
//        lost) and with a full file table (-ENFILE, a client is lost)
// needs: Linux 5.19
// try:   ./lab run 03/05; then print the slots of E, F and H, and close slot 1 instead of slot 0
#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

// [walk next]
// Submits, waits for one CQE of an accept and says what it is. Returns its res.
int next_accepted(io_uring& ring, const char* client) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  const bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
  io_uring_cqe_seen(&ring, cqe);
  if (res == -EINVAL) lab::skip("needs Linux 5.19: multishot accept");
  std::printf("%s: %s, %s\n", client, res >= 0 ? "accepted" : strerrorname_np(-res),
              more ? "F_MORE: still armed" : "no F_MORE: ended");
  return res;
}
// [/walk]

// Connects in a thread of its own: the armed accept completes by interrupting the thread that owns
// the ring, and a connect() that blocks there would return EINTR.
int connect_beside(std::uint16_t port) {
  int fd = -1;
  lab::ClientThread([&fd, port] { fd = lab::connect_to(port); }).join();
  return fd;
}

// [walk one]
void one_sqe(io_uring& ring, int listener, std::uint16_t port) {
  std::puts("one SQE:");
  io_uring_prep_multishot_accept(io_uring_get_sqe(&ring), listener, nullptr, nullptr, SOCK_CLOEXEC);
  for (const char* name : {"A", "B", "C"}) {
    const int client = connect_beside(port);
    close(next_accepted(ring, name));
    close(client);
  }
}
// [/walk]

// REQUIRES: the accept of one_sqe() is still armed.
void no_descriptor_left(io_uring& ring, int listener, std::uint16_t port) {
  std::puts("no descriptor left:");
  // [walk no-descriptor]
  std::vector<int> fillers;
  for (int fd = 0; (fd = fcntl(listener, F_DUPFD_CLOEXEC, 0)) >= 0;) fillers.push_back(fd);
  close(fillers.back());
  fillers.pop_back();
  const int client = connect_beside(port);  // its socket takes the last descriptor
  next_accepted(ring, "D");

  // The kernel looks for a free descriptor before it takes the client, so D is still in the
  // backlog. As soon as there is a descriptor, a new accept finds it there.
  close(fillers.back());
  fillers.pop_back();
  io_uring_prep_multishot_accept(io_uring_get_sqe(&ring), listener, nullptr, nullptr, SOCK_CLOEXEC);
  close(next_accepted(ring, "D"));
  // [/walk]

  for (const int fd : fillers) close(fd);
  close(client);
}

// io_uring_queue_exit would end the accept too, but later, and until then it could take client E.
void end_accept(io_uring& ring, int listener) {
  io_uring_prep_cancel_fd(io_uring_get_sqe(&ring), listener, 0);
  lab::need(io_uring_submit_and_wait(&ring, 2), "waiting for both CQEs");
}

// An operation on a direct descriptor, whose CQE is not interesting beyond its success.
void complete(io_uring& ring, const char* what) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  lab::need(cqe->res, what);
  io_uring_cqe_seen(&ring, cqe);
}

// [walk full]
// The accepted socket goes into the ring's file table, and res is its slot there.
void full_table(io_uring& ring, int listener, std::uint16_t port) {
  std::puts("a file table of 2 slots:");
  lab::need(io_uring_register_files_sparse(&ring, 2), "io_uring_register_files_sparse");
  std::array<int, 3> clients{};
  io_uring_prep_multishot_accept_direct(io_uring_get_sqe(&ring), listener, nullptr, nullptr, 0);
  for (unsigned index = 0; index < clients.size(); ++index) {
    const char name[] = {static_cast<char>('E' + index), '\0'};
    clients.at(index) = connect_beside(port);
    next_accepted(ring, name);
  }
  std::printf("G reads: %s\n", lab::receive(clients[2], 1).empty() ? "end of stream" : "bytes");
  for (const int fd : clients) close(fd);
}
// [/walk]

// [walk free-slot]
// H waits in the backlog, where it is safe while nothing is armed. It is taken when a slot is free,
// and by a one-shot accept: that one cannot reach for a second client.
void one_for_a_free_slot(io_uring& ring, int listener, std::uint16_t port) {
  const int client = connect_beside(port);
  io_uring_prep_close_direct(io_uring_get_sqe(&ring), 0);
  complete(ring, "close of slot 0");
  io_uring_prep_accept_direct(io_uring_get_sqe(&ring), listener, nullptr, nullptr, 0,
                              IORING_FILE_INDEX_ALLOC);
  const int slot = next_accepted(ring, "H");
  if (slot >= 0) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_send(sqe, slot, "h", 1, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    complete(ring, "send");
  }
  std::printf("H reads: %s\n", lab::receive(client, 1).empty() ? "end of stream" : "bytes");
  close(client);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);

  // A small limit, so that it is soon reached. It is set before the accept is armed, because the
  // accept keeps the limit that it found then.
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = 64;
  lab::need_errno(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");

  one_sqe(ring, listener, port);
  no_descriptor_left(ring, listener, port);
  end_accept(ring, listener);  // D's accept is armed again, and the next part wants a fresh ring
  io_uring_queue_exit(&ring);

  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  full_table(ring, listener, port);
  one_for_a_free_slot(ring, listener, port);
  close(listener);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
