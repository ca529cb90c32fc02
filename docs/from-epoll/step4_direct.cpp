// shows: step 4: one accept for all clients, connections without descriptors, task work on demand
// needs: Linux 6.1 (DEFER_TASKRUN)
// try:   build/release/bin/from-epoll-step4, then: nc 127.0.0.1 PORT
#include <liburing.h>

#include <array>
#include <cerrno>

#include "docs/from-epoll/service.hpp"

namespace {

constexpr unsigned slots = 1000;  // of the ring's file table: connections at the same time

enum class State { receiving, sending, closing };

struct Connection {
  int slot = -1;
  State state = State::receiving;
  std::array<char, 4096> bytes{};
  unsigned filled = 0, sent = 0;
};

struct Server : lab::Service {
  using Service::Service;
  io_uring ring{};
  bool accepting = false;
};

// [walk accept]
// The kernel picks a free slot of the table for each client, and reports the slot in res.
void start_accept(Server& server) {
  server.accepting = true;
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_multishot_accept_direct(sqe, server.listener, nullptr, nullptr, 0);
  io_uring_sqe_set_data(sqe, nullptr);
}
// [/walk]

void start(io_uring_sqe* sqe, Connection& connection, State state) {
  connection.state = state;
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);  // sqe->fd is a slot, not a descriptor
  io_uring_sqe_set_data(sqe, &connection);
}

void start_receive(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_recv(sqe, connection.slot, connection.bytes.data(), connection.bytes.size(), 0);
  start(sqe, connection, State::receiving);
}

void start_send(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_send(sqe, connection.slot, connection.bytes.data() + connection.sent,
                     connection.filled - connection.sent, MSG_NOSIGNAL);
  start(sqe, connection, State::sending);
}

// A close that names its slot in a field of its own takes no IOSQE_FIXED_FILE.
void start_close(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe(server.ring);
  io_uring_prep_close_direct(sqe, static_cast<unsigned>(connection.slot));
  io_uring_sqe_set_data(sqe, &connection);
  connection.state = State::closing;
}

void on_accept(Server& server, int res, bool more) {
  server.accepting = more;
  // Full: an accept at once would take one more client from the backlog and drop it (03/05).
  if (!more && res != -ENFILE) start_accept(server);
  if (res < 0) return;
  auto* connection = new Connection;
  connection->slot = res;
  start_receive(server, *connection);
}

void on_answer(Server& server, Connection& connection, int res) {
  if (connection.state == State::closing) {
    delete &connection;
    --server.clients_left;
    if (!server.accepting) start_accept(server);
  } else if (res < 0 || (res == 0 && connection.state == State::receiving)) {
    start_close(server, connection);
  } else if (connection.state == State::receiving) {
    ++server.receives;
    connection.filled = static_cast<unsigned>(res);
    connection.sent = 0;
    start_send(server, connection);
  } else {
    connection.sent += static_cast<unsigned>(res);
    const bool rest = connection.sent < connection.filled;
    rest ? start_send(server, connection) : start_receive(server, connection);
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  lab::need(io_uring_queue_init(256, &server.ring, flags), "io_uring_queue_init");
  lab::need(io_uring_register_files_sparse(&server.ring, slots), "io_uring_register_files_sparse");
  start_accept(server);

  while (server.clients_left > 0) {
    ++server.system_calls;
    const int entered = io_uring_submit_and_wait(&server.ring, 1);
    if (entered != -EINTR) lab::need(entered, "io_uring_submit_and_wait");
    io_uring_cqe* next = nullptr;
    while (io_uring_peek_cqe(&server.ring, &next) == 0) {
      const io_uring_cqe cqe = *next;
      io_uring_cqe_seen(&server.ring, next);
      auto* connection = static_cast<Connection*>(io_uring_cqe_get_data(&cqe));
      const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
      connection == nullptr ? on_accept(server, cqe.res, more)
                            : on_answer(server, *connection, cqe.res);
    }
  }
  io_uring_queue_exit(&server.ring);
  return server.end();
}
