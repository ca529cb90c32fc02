// shows: step 2: the same server, but a ring says who is ready; the calls are still our own
// needs: Linux 5.5
// try:   build/release/bin/from-epoll-step2, then: nc 127.0.0.1 PORT
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>

#include <array>
#include <cerrno>

#include "docs/from-epoll/service.hpp"

namespace {

struct Connection {
  int fd = -1;
  // What was received and not yet sent back: from `sent` to `filled`.
  std::array<char, 4096> bytes{};
  std::size_t filled = 0;
  std::size_t sent = 0;
};

struct Server : lab::Service {
  using Service::Service;
  io_uring ring{};
};

// [walk poll]
// One poll answers once. To ask again is to write 64 bytes: no call, it goes out with the next
// wait.
void start_poll(Server& server, int fd, unsigned events, Connection* connection) {
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_poll_add(sqe, fd, events);
  io_uring_sqe_set_data(sqe, connection);
}
// [/walk]

void on_connection(Server& server) {
  ++server.system_calls;
  const int fd = accept4(server.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  start_poll(server, server.listener, POLLIN, nullptr);
  if (fd < 0) return;
  auto* connection = new Connection;
  connection->fd = fd;
  start_poll(server, fd, POLLIN, connection);
}

// Only called when the connection's poll has answered: nothing of the ring knows its fd any more.
void end(Server& server, Connection& connection) {
  ++server.system_calls;
  close(connection.fd);
  delete &connection;
  --server.clients_left;
}

void send_rest(Server& server, Connection& connection) {
  while (connection.sent < connection.filled) {
    ++server.system_calls;
    const ssize_t res = send(connection.fd, connection.bytes.data() + connection.sent,
                             connection.filled - connection.sent, MSG_NOSIGNAL);
    if (res < 0 && errno == EAGAIN) return start_poll(server, connection.fd, POLLOUT, &connection);
    if (res < 0) return end(server, connection);
    connection.sent += static_cast<std::size_t>(res);
  }
  connection.filled = 0;
  connection.sent = 0;
  start_poll(server, connection.fd, POLLIN, &connection);
}

void on_ready(Server& server, Connection& connection) {
  if (connection.filled > 0) return send_rest(server, connection);
  ++server.system_calls;
  const ssize_t res = recv(connection.fd, connection.bytes.data(), connection.bytes.size(), 0);
  if (res < 0 && errno == EAGAIN) return start_poll(server, connection.fd, POLLIN, &connection);
  if (res <= 0) return end(server, connection);
  ++server.receives;
  connection.filled = static_cast<std::size_t>(res);
  send_rest(server, connection);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  lab::need(io_uring_queue_init(256, &server.ring, 0), "io_uring_queue_init");
  lab::need_errno(fcntl(server.listener, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
  start_poll(server, server.listener, POLLIN, nullptr);

  while (server.clients_left > 0) {
    ++server.system_calls;
    const int res = io_uring_submit_and_wait(&server.ring, 1);
    if (res != -EINTR) lab::need(res, "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&server.ring, &cqe) == 0) {
      auto* connection = static_cast<Connection*>(io_uring_cqe_get_data(cqe));
      lab::need(cqe->res, "poll");
      io_uring_cqe_seen(&server.ring, cqe);
      connection == nullptr ? on_connection(server) : on_ready(server, *connection);
    }
  }
  io_uring_queue_exit(&server.ring);
  return server.end();
}
