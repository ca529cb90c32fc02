// The other side: a connection, and a client in a process of its own.
#pragma once

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <tuple>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace peers {

/// Both ends of a TCP connection; the destructor closes what is open.
class Connection {
 public:
  Connection() {
    std::tie(server, client) = lab::connected_pair();
    // Else the last bytes may wait until the client acknowledges those before.
    const int on = 1;
    lab::need_errno(setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  }
  ~Connection() {
    if (server >= 0) close(server);
    close(client);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // [walk end]
  /// The client was promised a number of bytes. If they are not all there, it has to learn that.
  void end(bool whole) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (!whole) setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(server);
    server = -1;
  }
  // [/walk]

  int server = -1;
  int client = -1;
};

/// A client that throws away what it gets. Its CPU time is its own process's. Made before the ring.
class Discarding {
 public:
  Discarding() {
    lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control_.data()),
                    "socketpair");
    pid_ = lab::need_errno(fork(), "fork");
    if (pid_ == 0) serve();
  }
  ~Discarding() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    for (const int fd : control_) close(fd);
  }
  Discarding(const Discarding&) = delete;
  Discarding& operator=(const Discarding&) = delete;

  int server() const { return connection_.server; }
  void expect(std::uint64_t bytes) { transfer(::write(control_[0], &bytes, sizeof bytes)); }
  void wait() {
    std::uint64_t got = 0;
    transfer(::read(control_[0], &got, sizeof got));
  }

 private:
  static void transfer(ssize_t res) {
    if (res != sizeof(std::uint64_t)) lab::fail("the client's process is gone");
  }

  [[noreturn]] void serve() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::array<char, 1 << 18> unused;
    std::uint64_t bytes = 0;
    while (::read(control_[1], &bytes, sizeof bytes) == sizeof bytes) {
      for (std::uint64_t left = bytes; left > 0;) {
        const auto most = std::min<std::uint64_t>(left, unused.size());
        // MSG_TRUNC: TCP forgets the bytes without copying them.
        const ssize_t got = recv(connection_.client, unused.data(), most, MSG_TRUNC);
        if (got <= 0) _exit(1);
        left -= static_cast<std::uint64_t>(got);
      }
      if (::write(control_[1], &bytes, sizeof bytes) != sizeof bytes) _exit(1);
    }
    _exit(0);
  }

  Connection connection_;
  std::array<int, 2> control_{};
  pid_t pid_ = -1;
};

}  // namespace peers
