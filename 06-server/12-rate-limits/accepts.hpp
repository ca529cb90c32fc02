// The accept that tells where a client comes from, and what it costs beside the multishot one.
#pragma once

#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace accepts {

constexpr unsigned clients = 256;

inline double now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// [walk accept]
// Each accept in flight has a place of its own: the kernel writes into it at any moment until the
// CQE has come. A multishot accept has one place for all its clients.
struct Place {
  sockaddr_in6 address;
  socklen_t size;
};

inline void arm(io_uring& ring, int listener, Place& place) {
  place.size = sizeof place.address;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_accept(sqe, listener, reinterpret_cast<sockaddr*>(&place.address), &place.size, 0);
  io_uring_sqe_set_data(sqe, &place);
}
// [/walk]

/// Accepts clients that wait in the backlog. @return nanoseconds for each
inline double accept_all(bool with_addresses) {
  io_uring ring{};
  lab::need(io_uring_queue_init(512, &ring, 0), "io_uring_queue_init");
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port, clients);
  std::vector<int> open;
  for (unsigned client = 0; client < clients; ++client) open.push_back(lab::connect_to(port));

  std::array<Place, 64> places{};
  const double begin = now_ns();
  unsigned to_arm = clients;
  if (with_addresses) {
    for (Place& place : places) arm(ring, listener, place);
    to_arm -= static_cast<unsigned>(places.size());
  } else {
    io_uring_prep_multishot_accept(io_uring_get_sqe(&ring), listener, nullptr, nullptr, 0);
  }
  std::vector<int> accepted;
  while (accepted.size() < clients) {
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      accepted.push_back(lab::need(cqe->res, "accept"));
      if (with_addresses && to_arm > 0) {
        arm(ring, listener, *static_cast<Place*>(io_uring_cqe_get_data(cqe)));
        --to_arm;
      }
      io_uring_cqe_seen(&ring, cqe);
    }
  }
  const double each = (now_ns() - begin) / clients;
  io_uring_queue_exit(&ring);
  for (const int fd : accepted) close(fd);
  for (const int fd : open) close(fd);
  close(listener);
  return each;
}

}  // namespace accepts
