// What the stages of the server share that is not the server: its clients, on plain blocking
// sockets, and a way to serve until SIGTERM. 06-server/01-one-core explains it.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "03-network/08-broken-echo/client.hpp"
#include "03-network/08-broken-echo/server.hpp"
#include "03-network/loopback.hpp"

namespace stage {

/// A listener whose connections send what there is at once (TCP_NODELAY, which they inherit): the
/// end of an answer does not wait for its client to acknowledge the beginning. The caller closes
/// it.
inline int listener(std::uint16_t& port) {
  const int fd = lab::listen_on_loopback(port, 4096);
  const int on = 1;
  lab::need_errno(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  return fd;
}

/// A client that asks, waits for the answer, and asks again; it ends the program when an answer is
/// wrong or does not come within 5 s.
inline void ask(int fd, int rounds, std::size_t bytes = 64) {
  for (int round = 0; round < rounds; ++round) {
    const std::string question(bytes, static_cast<char>('a' + round % 26));
    lab::send_all(fd, question);
    if (lab::receive(fd, bytes) != question) lab::fail("the answer is not the question");
  }
}

/// Clients that send and never read. Made when each of them has sent as much as goes: what the
/// server has not taken yet is more than it can pass on.
class Stalled {
 public:
  Stalled(std::uint16_t port, std::size_t count) {
    const int size = 4096;
    for (std::size_t index = 0; index < count; ++index) {
      fds_.push_back(clients::connect_narrow(port));
      lab::need_errno(setsockopt(fds_.back(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                      "SO_SNDBUF");
    }
    while (!all_full()) sched_yield();
  }
  ~Stalled() {
    for (const int fd : fds_) close(fd);
  }
  Stalled(const Stalled&) = delete;
  Stalled& operator=(const Stalled&) = delete;

 private:
  bool all_full() const {
    const std::string bytes(4096, 's');
    bool full = true;
    for (const int fd : fds_) {
      while (send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) full = false;
      if (errno != EAGAIN) lab::need_errno(-1, "send of a client that does not read");
    }
    return full;
  }

  std::vector<int> fds_;
};

/// What a neighbour gets beside such clients: it asks until an answer takes longer than `patience`.
inline const char* neighbour(std::uint16_t port, std::size_t stalled_count,
                             std::chrono::milliseconds patience) {
  const int fd = lab::connect_to(port);
  ask(fd, 1);
  const Stalled stalled(port, stalled_count);
  const bool served = clients::neighbour_is_served(fd, 2000, patience);
  close(fd);
  return served ? "is served" : "starves";
}

/// With an argument a stage serves: "serve" or "serve PORT". SIGTERM ends it at once; an end in
/// order is the last stage's.
inline bool wants_to_serve(int argc, char** argv) {
  if (argc < 2) return false;
  if (std::string(argv[1]) != "serve") lab::fail("\"" + std::string(argv[1]) + "\"?", "serve");
  std::signal(SIGTERM, [](int) { _exit(0); });
  return true;
}

/// The line that tests/conformance/run waits for.
inline void say_where(std::uint16_t port) { std::printf("listening on 127.0.0.1:%u\n", port); }

}  // namespace stage
