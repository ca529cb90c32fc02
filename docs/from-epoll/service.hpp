// What all six steps share and none of them is about: where to listen, when to end, and counting.
#pragma once

#include <liburing.h>

#include <climits>
#include <cstdio>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace lab {

struct Service {
  static constexpr const char* usage = "[clients]: ends after so many; without: never";

  explicit Service(const Lesson& lesson) : clients_left(lesson.argument(1, LONG_MAX, 1, 100'000)) {
    std::uint16_t port = 0;
    listener = listen_on_loopback(port, 1024);
    std::printf("listening on 127.0.0.1:%u\n", port);
  }
  ~Service() { close(listener); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// The next free SQE. The queue is full when more connections moved in one round than it has
  /// entries: then what is in it goes to the kernel first.
  io_uring_sqe* next_sqe(io_uring& ring) {
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring)) return sqe;
    ++system_calls;
    need(io_uring_submit(&ring), "io_uring_submit");
    return io_uring_get_sqe(&ring);
  }

  int end() const {
    std::printf("receives: %ld, system calls: %ld\n", receives, system_calls);
    return ok();
  }

  int listener = -1;
  long clients_left;
  long receives = 0;
  long system_calls = 0;
};

}  // namespace lab
