// What a network lesson needs that is not io_uring: a listener on 127.0.0.1 with a port of the
// kernel's choice, and a peer that speaks plain blocking sockets. It wraps no io_uring call.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "01-core/lesson.hpp"

namespace lab {

inline sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A TCP listener; `port` is where it listens. The caller closes it.
inline int listen_on_loopback(std::uint16_t& port, int backlog = 64) {
  const int fd = need_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  need_errno(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
  need_errno(listen(fd, backlog), "listen");
  need_errno(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

/// A blocking socket, connected; its reads and writes give up after 5 s. The caller closes it.
inline int connect_to(std::uint16_t port) {
  const int fd = need_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_in address = loopback_address(port);
  // Before the time limits: with one, a ring's work for this thread would end connect() with EINTR.
  need_errno(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  const int on = 1;
  need_errno(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
  need_errno(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "SO_SNDTIMEO");
  need_errno(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  return fd;
}

/// Both ends of one connection: {the server's, the client's}. The caller closes them.
inline std::pair<int, int> connected_pair() {
  std::uint16_t port = 0;
  const int listener = listen_on_loopback(port);
  const int client = connect_to(port);
  const int server = need_errno(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
  close(listener);
  return {server, client};
}

/// Everything, however many calls it takes.
inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    need_errno(static_cast<int>(sent), "send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Exactly `count` bytes, or what came until the peer sent its FIN.
inline std::string receive(int fd, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = recv(fd, bytes.data() + filled, count - filled, 0);
    if (need_errno(static_cast<int>(got), "recv") == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

/// Until `count` bytes lie in the socket, unread: what a program counts after that does not depend
/// on who was faster. Sent is not yet received: on a busy machine a kernel thread brings it later.
inline void await_bytes(int fd, std::size_t count) {
  for (int there = 0;;) {
    need_errno(ioctl(fd, FIONREAD, &there), "FIONREAD");
    if (there >= static_cast<int>(count)) return;
    sched_yield();
  }
}

/// A client in a thread of its own, so that the lesson's thread is free for the ring. It is waited
/// for when the object dies.
class ClientThread {
 public:
  template <class Body>
  explicit ClientThread(Body body) : thread_(std::move(body)) {}
  ~ClientThread() { join(); }
  ClientThread(const ClientThread&) = delete;
  ClientThread& operator=(const ClientThread&) = delete;

  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace lab
