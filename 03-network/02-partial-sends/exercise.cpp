// Exercise 03-02: send_all().
// shows: short sends, and what to do about them
// needs: Linux 5.6
// try:   ./lab exercise 03/02; it compiles and fails, and says why
#include <liburing.h>

#include <string_view>

#include "03-network/02-partial-sends/check.hpp"

// Sends all bytes with plain sends (flags 0). Returns 0, or the -errno of a send that failed.
int send_all(io_uring& ring, int fd, std::string_view bytes) {
  // YOUR TURN 1: this sends once. When is that not enough, and what is still to send then?
  // YOUR TURN 2: and what does a negative res mean for the caller?
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), 0);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  io_uring_cqe_seen(&ring, cqe);
  return 0;
}

int main(int argc, char** argv) { return lab::judge(argc, argv, &send_all); }
