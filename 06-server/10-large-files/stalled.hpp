// Clients that do not read, and the threads of the kernel that wait for them.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/08-broken-echo/client.hpp"
#include "03-network/loopback.hpp"

namespace stalled {

/// A client that does not read, and 256 KiB for it in a pipe. What its connection takes is less:
/// both ends have the smallest buffers that there are.
struct Download {
  Download() {
    std::uint16_t port = 0;
    const int listener = lab::listen_on_loopback(port);
    client = clients::connect_narrow(port);
    server = lab::need_errno(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
    close(listener);
    const int least = 1;
    lab::need_errno(setsockopt(server, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), "SO_SNDBUF");
    lab::need_errno(pipe2(pipe.data(), O_CLOEXEC), "pipe2");
    lab::need_errno(fcntl(pipe[1], F_SETPIPE_SZ, static_cast<int>(bytes.size())), "F_SETPIPE_SZ");
    lab::need_errno(static_cast<int>(write(pipe[1], bytes.data(), bytes.size())), "write");
  }
  ~Download() {
    for (const int fd : {client, server, pipe[0], pipe[1]}) close(fd);
  }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  std::vector<char> bytes = std::vector<char>(256 * 1024);
  std::array<int, 2> pipe{};
  int client = -1;
  int server = -1;
};

// [walk threads]
inline unsigned worker_threads() {
  unsigned count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name.starts_with("iou-wrk")) ++count;
  }
  return count;
}
// [/walk]

// [walk stalled]
/// How many threads of the kernel wait for four clients that do not read.
inline unsigned threads(io_uring& ring, bool by_splice) {
  std::array<Download, 4> downloads;
  for (Download& one : downloads) {
    const auto size = static_cast<unsigned>(one.bytes.size());
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    if (by_splice) {
      io_uring_prep_splice(sqe, one.pipe[0], -1, one.server, -1, size, 0);
    } else {
      io_uring_prep_send(sqe, one.server, one.bytes.data(), size, MSG_NOSIGNAL | MSG_WAITALL);
    }
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  while (by_splice && worker_threads() < downloads.size()) sched_yield();
  const unsigned count = worker_threads();
  for (const Download& one : downloads) shutdown(one.server, SHUT_RDWR);
  for (std::size_t ended = 0; ended < downloads.size(); ++ended) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    io_uring_cqe_seen(&ring, cqe);
  }
  return count;
}
// [/walk]

}  // namespace stalled
