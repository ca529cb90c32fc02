// shows: an operation outlives close(), and the descriptor's number gets a new owner meanwhile
// needs: Linux 5.6
// try:   ./lab run 03-17; then ./lab break 03-17
#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "03-network/loopback.hpp"

namespace {

constexpr std::uint64_t cancel_mark = std::uint64_t{1} << 32;

// [walk connections]
struct Connection {
  const char* name;
  char buffer[32];
};
// [/walk]

// By descriptor, as in many servers: user_data is the fd, and this says who that is.
// A record is used again with its number.
std::array<Connection, 1024> connections;

Connection& connection_of(int fd) { return connections.at(static_cast<std::size_t>(fd)); }

// [walk start]
void start_recv(io_uring& ring, int fd) {
  Connection& connection = connection_of(fd);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, fd, connection.buffer, sizeof connection.buffer, 0);
  io_uring_sqe_set_data64(sqe, static_cast<std::uint64_t>(fd));
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}
// [/walk]

// [walk join]
// Cancels the receive and waits for both answers: the cancel's own, and the receive's last. Their
// order is the kernel's affair. After that nothing is in flight on fd, so close() sends the FIN and
// the number may be used again.
void cancel_and_join(io_uring& ring, int fd) {
  const auto recv_data = static_cast<std::uint64_t>(fd);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_cancel64(sqe, recv_data, 0);
  io_uring_sqe_set_data64(sqe, recv_data | cancel_mark);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  int recv_res = 0;
  int cancel_res = 0;
  for (int answers = 0; answers < 2; ++answers) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const bool is_recv = io_uring_cqe_get_data64(cqe) == recv_data;
    (is_recv ? recv_res : cancel_res) = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("  joined: cancel %d, recv %s\n", cancel_res, strerrorname_np(-recv_res));
}
// [/walk]

// Shows the next receive's end, if one comes within a fifth of a second.
void show_next(io_uring& ring) {
  __kernel_timespec patience{.tv_sec = 0, .tv_nsec = 200'000'000};
  io_uring_cqe* cqe = nullptr;
  const int res = io_uring_wait_cqe_timeout(&ring, &cqe, &patience);
  if (res == -ETIME) {
    std::printf("  no CQE\n");
    return;
  }
  lab::need(res, "io_uring_wait_cqe_timeout");
  const int fd = static_cast<int>(io_uring_cqe_get_data64(cqe));
  const Connection& owner = connection_of(fd);
  const std::string_view text(owner.buffer, static_cast<std::size_t>(lab::need(cqe->res, "recv")));
  std::printf("  %s's record has: %.*s\n", owner.name, static_cast<int>(text.size()), text.data());
  io_uring_cqe_seen(&ring, cqe);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  // Both clients first, so that the lowest free number is Ann's when she has gone.
  const int ann = lab::connect_to(port);
  const int bob = lab::connect_to(port);

  // [walk story]
  const int anns_fd = lab::need_errno(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  connection_of(anns_fd).name = "Ann";
  start_recv(ring, anns_fd);

  std::printf("Ann is silent for too long\n");
  cancel_and_join(ring, anns_fd);
  std::printf("  close: %d\n", close(anns_fd));

  const int bobs_fd = lab::need_errno(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  connection_of(bobs_fd).name = "Bob";
  start_recv(ring, bobs_fd);
  std::printf("Bob has Ann's old number: %s\n", bobs_fd == anns_fd ? "yes" : "no");
  // [/walk]

  std::printf("Ann writes\n");
  lab::send_all(ann, "give Ann 5 coins");
  show_next(ring);
  std::printf("Bob writes\n");
  lab::send_all(bob, "good morning");
  show_next(ring);

  std::printf("the server stops\n");
  start_recv(ring, bobs_fd);
  cancel_and_join(ring, bobs_fd);
  close(bobs_fd);
  close(ann);
  close(bob);
  close(listener);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
