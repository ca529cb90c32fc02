// Exercise 03-02, solved: send_all().
// shows: short sends, and what to do about them
// needs: Linux 5.6
// try:   read it after you have tried; hints.md first
#include <liburing.h>

#include <string_view>

#include "03-network/02-partial-sends/check.hpp"

// Sends all bytes with plain sends (flags 0). Returns 0, or the -errno of a send that failed.
int send_all(io_uring& ring, int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), 0);
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    const int res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    if (res < 0) return res;
    bytes.remove_prefix(static_cast<std::size_t>(res));
  }
  return 0;
}

int main(int argc, char** argv) { return lab::judge(argc, argv, &send_all); }
