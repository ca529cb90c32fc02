// shows: step 5: one ring of buffers for all clients: who waits for data holds no memory
// needs: Linux 6.1 (DEFER_TASKRUN)
// try:   build/release/bin/from-epoll-step5, then: nc 127.0.0.1 PORT
#include <deque>
#include <vector>

#include "docs/from-epoll/after_step4.hpp"

namespace {

constexpr unsigned buffer_count = 16, buffer_size = 4096;

enum class State { receiving, sending, closing };

struct Connection {
  int slot = -1;
  State state = State::receiving;
  unsigned buffer = 0;  // while sending: the one that the kernel picked
  unsigned filled = 0, sent = 0;
};

struct Server : lab::DirectService {
  using DirectService::DirectService;
  char* bytes_of(unsigned buffer) { return memory.data() + std::size_t{buffer} * buffer_size; }
  io_uring_buf_ring* buffers = nullptr;
  std::vector<char> memory = std::vector<char>(std::size_t{buffer_count} * buffer_size);
  unsigned free = 0;                // buffers that the kernel may pick
  std::deque<Connection*> waiting;  // for a buffer: first come, first served
};

void give_back(Server& server, unsigned buffer) {
  io_uring_buf_ring_add(server.buffers, server.bytes_of(buffer), buffer_size,
                        static_cast<unsigned short>(buffer), buffer_count - 1, 0);
  io_uring_buf_ring_advance(server.buffers, 1);
  ++server.free;
}

void start(io_uring_sqe* sqe, Connection& connection, State state, unsigned flags) {
  connection.state = state;
  io_uring_sqe_set_flags(sqe, flags);
  io_uring_sqe_set_data(sqe, &connection);
}

// [walk receive]
// No address: the kernel takes a buffer of group 0 for the bytes that come, and the CQE names it.
void start_receive(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe();
  io_uring_prep_recv(sqe, connection.slot, nullptr, 0, 0);
  start(sqe, connection, State::receiving, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
}
// [/walk]

void start_send(Server& server, Connection& connection) {
  io_uring_sqe* sqe = server.next_sqe();
  io_uring_prep_send(sqe, connection.slot, server.bytes_of(connection.buffer) + connection.sent,
                     connection.filled - connection.sent, MSG_NOSIGNAL);
  start(sqe, connection, State::sending, IOSQE_FIXED_FILE);
}

void start_close(Server& server, Connection& connection) {
  connection.state = State::closing;
  io_uring_sqe_set_data(server.prep_close(connection.slot), &connection);
}

// [walk on-receive]
void on_receive(Server& server, Connection& connection, const io_uring_cqe& cqe) {
  // Not again at once: it would fail again at once. It waits until a buffer has come home.
  if (cqe.res == -ENOBUFS) return server.waiting.push_back(&connection);
  if (cqe.res <= 0) return start_close(server, connection);  // without data there is no buffer
  ++server.receives;
  --server.free;
  connection.buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  connection.filled = static_cast<unsigned>(cqe.res);
  connection.sent = 0;
  start_send(server, connection);
}
// [/walk]

void on_send(Server& server, Connection& connection, int res) {
  if (res > 0) connection.sent += static_cast<unsigned>(res);
  if (res > 0 && connection.sent < connection.filled) return start_send(server, connection);
  give_back(server, connection.buffer);
  res > 0 ? start_receive(server, connection) : start_close(server, connection);
}

void on_cqe(Server& server, const io_uring_cqe& cqe) {
  auto* connection = static_cast<Connection*>(io_uring_cqe_get_data(&cqe));
  if (connection == nullptr) {
    const int slot = server.on_accept(cqe);
    if (slot >= 0) start_receive(server, *new Connection{.slot = slot});
  } else if (connection->state == State::closing) {
    delete connection;
    server.on_closed();
  } else {
    const bool receiving = connection->state == State::receiving;
    receiving ? on_receive(server, *connection, cqe) : on_send(server, *connection, cqe.res);
  }
}

// Who is woken may have no data, so the thread does not sleep while others wait behind it.
unsigned wake_waiting(Server& server) {
  for (unsigned chances = server.free; chances > 0 && !server.waiting.empty(); --chances) {
    start_receive(server, *server.waiting.front());
    server.waiting.pop_front();
  }
  return server.free > 0 && !server.waiting.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  int error = 0;
  server.buffers = io_uring_setup_buf_ring(&server.ring, buffer_count, 0, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned buffer = 0; buffer < buffer_count; ++buffer) give_back(server, buffer);
  while (server.clients_left > 0) {
    server.round(wake_waiting(server), [&](const io_uring_cqe& cqe) { on_cqe(server, cqe); });
  }
  io_uring_free_buf_ring(&server.ring, server.buffers, buffer_count, 0);
  return server.end();
}
