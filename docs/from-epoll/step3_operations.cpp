// shows: step 3: the ring no longer says who is ready, it does the work: accept, recv, send
// needs: Linux 5.6
// try:   build/release/bin/from-epoll-step3, then: nc 127.0.0.1 PORT
#include <liburing.h>

#include <array>
#include <cerrno>

#include "docs/from-epoll/service.hpp"

namespace {

// [walk types]
// Exactly one operation of a connection is in flight, and this says which.
enum class State { receiving, sending };

struct Connection {
  int fd = -1;
  State state = State::receiving;
  // The kernel's from the submit to the CQE: it writes here while receiving, reads while sending.
  std::array<char, 4096> bytes{};
  unsigned filled = 0;
  unsigned sent = 0;
};

struct Server : lab::Service {
  using Service::Service;
  io_uring ring{};
};
// [/walk]

void start_accept(Server& server) {
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_accept(sqe, server.listener, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, nullptr);
}

void start_receive(Server& server, Connection& connection) {
  connection.state = State::receiving;
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_recv(sqe, connection.fd, connection.bytes.data(), connection.bytes.size(), 0);
  io_uring_sqe_set_data(sqe, &connection);
}

// [walk send]
// A send may take less than it is offered. The rest is the next send: never two at the same time.
void start_send(Server& server, Connection& connection) {
  connection.state = State::sending;
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_send(sqe, connection.fd, connection.bytes.data() + connection.sent,
                     connection.filled - connection.sent, MSG_NOSIGNAL);
  io_uring_sqe_set_data(sqe, &connection);
}
// [/walk]

void on_accept(Server& server, int res) {
  start_accept(server);
  if (res < 0) return;
  auto* connection = new Connection;
  connection->fd = res;
  start_receive(server, *connection);
}

// Called with the last CQE of the connection: nothing is in flight, so fd and memory may go.
void end(Server& server, Connection& connection) {
  ++server.system_calls;
  close(connection.fd);
  delete &connection;
  --server.clients_left;
}

void on_receive(Server& server, Connection& connection, int res) {
  if (res <= 0) return end(server, connection);
  ++server.receives;
  connection.filled = static_cast<unsigned>(res);
  connection.sent = 0;
  start_send(server, connection);
}

// [walk on-send]
void on_send(Server& server, Connection& connection, int res) {
  if (res < 0) return end(server, connection);
  connection.sent += static_cast<unsigned>(res);
  if (connection.sent < connection.filled) return start_send(server, connection);
  start_receive(server, connection);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  lab::need(io_uring_queue_init(256, &server.ring, 0), "io_uring_queue_init");
  start_accept(server);

  while (server.clients_left > 0) {
    ++server.system_calls;
    const int entered = io_uring_submit_and_wait(&server.ring, 1);
    if (entered != -EINTR) lab::need(entered, "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&server.ring, &cqe) == 0) {
      auto* connection = static_cast<Connection*>(io_uring_cqe_get_data(cqe));
      const int res = cqe->res;
      io_uring_cqe_seen(&server.ring, cqe);
      if (connection == nullptr) {
        on_accept(server, res);
      } else {
        const bool receiving = connection->state == State::receiving;
        receiving ? on_receive(server, *connection, res) : on_send(server, *connection, res);
      }
    }
  }
  io_uring_queue_exit(&server.ring);
  return server.end();
}
