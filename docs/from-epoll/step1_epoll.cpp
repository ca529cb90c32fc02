// shows: step 1: an echo server on epoll, which asks who is ready and then makes each call itself
// needs: any Linux
// try:   build/release/bin/from-epoll-step1, then: nc 127.0.0.1 PORT
#include <fcntl.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>

#include "docs/from-epoll/service.hpp"

namespace {

// [walk types]
struct Connection {
  int fd = -1;
  // What was received and not yet sent back: from `sent` to `filled`. While there is something,
  // nothing more is received: a peer that does not read cannot make the server hold more.
  std::array<char, 4096> bytes{};
  std::size_t filled = 0;
  std::size_t sent = 0;
  bool wants_room = false;  // true while epoll reports room to send, not bytes to receive
};

struct Server : lab::Service {
  using Service::Service;
  int epoll = -1;
};
// [/walk]

void watch(Server& server, int operation, int fd, std::uint32_t events, Connection* connection) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;
  ++server.system_calls;
  lab::need_errno(epoll_ctl(server.epoll, operation, fd, &event), "epoll_ctl");
}

void on_connection(Server& server) {
  ++server.system_calls;
  const int fd = accept4(server.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  // Without a free descriptor this fails, and epoll reports the listener again at once: it spins.
  if (fd < 0) return;
  auto* connection = new Connection;
  connection->fd = fd;
  watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, connection);
}

void end(Server& server, Connection& connection) {
  ++server.system_calls;
  close(connection.fd);  // epoll forgets it by itself
  delete &connection;
  --server.clients_left;
}

void wait_for_room(Server& server, Connection& connection, bool wanted) {
  if (connection.wants_room == wanted) return;
  connection.wants_room = wanted;
  watch(server, EPOLL_CTL_MOD, connection.fd, wanted ? EPOLLOUT : EPOLLIN, &connection);
}

// [walk send-rest]
void send_rest(Server& server, Connection& connection) {
  while (connection.sent < connection.filled) {
    ++server.system_calls;
    const ssize_t res = send(connection.fd, connection.bytes.data() + connection.sent,
                             connection.filled - connection.sent, MSG_NOSIGNAL);
    if (res < 0 && errno == EAGAIN) return wait_for_room(server, connection, true);
    if (res < 0) return end(server, connection);
    connection.sent += static_cast<std::size_t>(res);
  }
  connection.filled = 0;
  connection.sent = 0;
  wait_for_room(server, connection, false);
}
// [/walk]

void on_ready(Server& server, Connection& connection) {
  if (connection.filled > 0) return send_rest(server, connection);
  ++server.system_calls;
  const ssize_t res = recv(connection.fd, connection.bytes.data(), connection.bytes.size(), 0);
  if (res < 0 && errno == EAGAIN) return;
  if (res <= 0) return end(server, connection);  // 0 is the peer's FIN
  ++server.receives;
  connection.filled = static_cast<std::size_t>(res);
  send_rest(server, connection);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, Server::usage, 86'400);
  Server server(lesson);
  lab::need_errno(fcntl(server.listener, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
  server.epoll = lab::need_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(server, EPOLL_CTL_ADD, server.listener, EPOLLIN, nullptr);

  std::array<epoll_event, 256> events{};
  while (server.clients_left > 0) {
    ++server.system_calls;
    const int ready = epoll_wait(server.epoll, events.data(), events.size(), -1);
    if (ready < 0 && errno != EINTR) lab::need_errno(ready, "epoll_wait");
    for (int index = 0; index < ready; ++index) {
      auto* connection = static_cast<Connection*>(events[static_cast<unsigned>(index)].data.ptr);
      connection == nullptr ? on_connection(server) : on_ready(server, *connection);
    }
  }
  close(server.epoll);
  return server.end();
}
