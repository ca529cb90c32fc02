// shows: socket, setsockopt, bind, listen, accept and shutdown as operations; options that a
//        connection inherits from its listener; the worker thread that a shutdown needs
// needs: Linux 5.19; setsockopt as an operation Linux 6.7, bind and listen Linux 6.11
// try:   ./lab run 03/04; then do the shutdown with an ordinary shutdown() and look at the threads
#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

// Submits the one SQE that is prepared, waits for its CQE and returns res.
int complete(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

// [walk make-socket]
int make_socket(io_uring& ring) {
  io_uring_prep_socket(io_uring_get_sqe(&ring), AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0);
  const int res = complete(ring);
  if (res == -EINVAL) lab::skip("needs Linux 5.19: the socket operation");
  std::puts("socket: by the ring");
  return lab::need(res, "socket");
}
// [/walk]

// [walk set-no-delay]
void set_no_delay(io_uring& ring, int fd) {
  int on = 1;  // the kernel reads it during the operation, and we wait for its CQE
  io_uring_prep_cmd_sock(io_uring_get_sqe(&ring), SOCKET_URING_OP_SETSOCKOPT, fd, IPPROTO_TCP,
                         TCP_NODELAY, &on, sizeof on);
  const int res = complete(ring);
  if (res != -EOPNOTSUPP && res != -EINVAL) {
    lab::need(res, "setsockopt");
    std::puts("setsockopt: by the ring");
    return;
  }
  std::puts("skip setsockopt: needs Linux 6.7");
  lab::need_errno(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
}
// [/walk]

void bind_and_listen(io_uring& ring, int fd) {
  sockaddr_in address = lab::loopback_address(0);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  // [walk bind]
  io_uring_prep_bind(io_uring_get_sqe(&ring), fd, any, sizeof address);
  const int res = complete(ring);
  if (res != -EINVAL) {
    lab::need(res, "bind");
    io_uring_prep_listen(io_uring_get_sqe(&ring), fd, 16);
    lab::need(complete(ring), "listen");
    std::puts("bind, listen: by the ring");
    // [/walk]
    return;
  }
  std::puts("skip bind, listen: needs Linux 6.11");
  lab::need_errno(bind(fd, any, sizeof address), "bind");
  lab::need_errno(listen(fd, 16), "listen");
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  lab::need_errno(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

const char* no_delay(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  lab::need_errno(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), "getsockopt");
  return value != 0 ? "yes" : "no";
}

// Threads that the kernel made for operations which could make it sleep.
int worker_threads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.rfind("iou-wrk-", 0) == 0) ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // [walk story]
  const int listener = make_socket(ring);
  set_no_delay(ring, listener);
  bind_and_listen(ring, listener);
  const int client = lab::connect_to(port_of(listener));
  io_uring_prep_accept(io_uring_get_sqe(&ring), listener, nullptr, nullptr, SOCK_CLOEXEC);
  const int connection = lab::need(complete(ring), "accept");
  std::printf("accept: by the ring; the connection has TCP_NODELAY: %s\n", no_delay(connection));
  // [/walk]

  // [walk shutdown]
  std::printf("worker threads: %d\n", worker_threads());
  io_uring_prep_shutdown(io_uring_get_sqe(&ring), connection, SHUT_WR);
  lab::need(complete(ring), "shutdown");
  std::printf("shutdown: by the ring; the client reads: %s\n",
              lab::receive(client, 1).empty() ? "end of stream" : "bytes");
  // [/walk]
  std::printf("worker threads: %d\n", worker_threads());

  for (const int fd : {connection, client, listener}) close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
