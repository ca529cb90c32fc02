// shows: an echo server for several clients in one thread: accept, recv and send as a state machine
// needs: Linux 5.6
// try:   ./lab run 03/01; then make the buffer 4 bytes and follow the states of "hello"
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

// [walk connection]
// What a connection waits for. It has exactly one operation in flight at any time, so the state
// says which.
enum class State { receiving, sending };

struct Connection {
  char name = '?';
  int fd = -1;
  State state = State::receiving;
  // The kernel writes here while receiving and reads here while sending, so it must not move or die
  // before the CQE.
  std::array<char, 64> bytes{};
  unsigned bytes_in = 0;
};
// [/walk]

struct Server {
  io_uring ring{};
  int listener = -1;
  std::array<Connection, 2> connections{};
  unsigned accepted = 0;
  unsigned closed = 0;
  unsigned operations = 0;
};

// A client waits for each answer before it goes on, so the server's lines have one order.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(lab::connect_to(port)) {}

  void echo(const std::string& text) {
    lab::send_all(fd_, text);
    sent_ += text;
    got_ += lab::receive(fd_, text.size());
  }

  void leave() {
    shutdown(fd_, SHUT_WR);           // our FIN: the server's recv returns 0
    got_ += lab::receive(fd_, 1000);  // what else there is, until the server's FIN
    close(fd_);
    if (got_ == sent_) return;
    lab::fail("a client sent " + std::to_string(sent_.size()) + " bytes and got " +
              std::to_string(got_.size()) + " bytes that are not the same");
  }

 private:
  int fd_;
  std::string sent_;
  std::string got_;
};

void run_clients(std::uint16_t port) {
  Client first(port);
  first.echo("hello");
  Client second(port);
  second.echo("good day");
  first.echo("hi");
  first.leave();
  second.leave();
}

// [walk accept]
void start_accept(Server& server) {
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_accept(sqe, server.listener, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, nullptr);  // no connection yet: this is how the CQE is told apart
  ++server.operations;
}
// [/walk]

// [walk receive]
void start_receive(Server& server, Connection& connection) {
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_recv(sqe, connection.fd, connection.bytes.data(), connection.bytes.size(), 0);
  io_uring_sqe_set_data(sqe, &connection);
  connection.state = State::receiving;
  ++server.operations;
}
// [/walk]

void start_send(Server& server, Connection& connection) {
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_send(sqe, connection.fd, connection.bytes.data(), connection.bytes_in, 0);
  io_uring_sqe_set_data(sqe, &connection);
  connection.state = State::sending;
  ++server.operations;
}

// [walk on-accept]
void on_accept(Server& server, int res) {
  Connection& connection = server.connections.at(server.accepted);
  connection.fd = lab::need(res, "accept");
  connection.name = static_cast<char>('A' + server.accepted);
  ++server.accepted;
  std::printf("%c accepted\n", connection.name);
  start_receive(server, connection);
  // An accept is spent after one client. Without a new one the next client waits in the backlog.
  if (server.accepted < server.connections.size()) start_accept(server);
}
// [/walk]

// [walk on-receive]
void on_receive(Server& server, Connection& connection, int res) {
  std::printf("%c received: res %d\n", connection.name, res);
  if (res <= 0) {  // 0 is the peer's FIN, a negative res an error: no more bytes will come
    close(connection.fd);
    ++server.closed;
    return;
  }
  connection.bytes_in = static_cast<unsigned>(res);
  start_send(server, connection);
}
// [/walk]

// [walk on-send]
void on_send(Server& server, Connection& connection, int res) {
  std::printf("%c sent: res %d\n", connection.name, res);
  // The kernel may take fewer bytes than offered. These few always fit; 03-02 shows what to do when
  // they do not.
  if (res != static_cast<int>(connection.bytes_in)) lab::fail("the send was short or failed");
  start_receive(server, connection);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Server server;
  lab::need(io_uring_queue_init(8, &server.ring, 0), "io_uring_queue_init");
  lesson.watch(server.ring);
  std::uint16_t port = 0;
  server.listener = lab::listen_on_loopback(port);
  lab::ClientThread clients([port] { run_clients(port); });

  start_accept(server);
  // [walk loop]
  while (server.closed < server.connections.size()) {
    // Whatever the last CQEs started goes out, and the thread sleeps until the next CQE.
    lab::need(io_uring_submit_and_wait(&server.ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&server.ring, &cqe) == 0) {
      auto* connection = static_cast<Connection*>(io_uring_cqe_get_data(cqe));
      const int res = cqe->res;
      io_uring_cqe_seen(&server.ring, cqe);
      if (connection == nullptr) {
        on_accept(server, res);
      } else if (connection->state == State::receiving) {
        on_receive(server, *connection, res);
      } else {
        on_send(server, *connection, res);
      }
    }
  }
  // [/walk]
  std::printf("operations: %u\n", server.operations);

  close(server.listener);
  io_uring_queue_exit(&server.ring);
  return lab::ok();
}
