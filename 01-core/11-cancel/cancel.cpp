// shows: a cancel is a request of its own: two CQEs come, and only the target's gives memory back;
//        what naming the target costs with 1000 requests in flight; how to end them all
// needs: Linux 6.0
// try:   ./lab run 01-11; then ./lab run 01-11 16000
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned target = 1, cancel = 2, nobody = 99;  // user_data; no request has the last

void submit(io_uring& ring) { lab::need(io_uring_submit(&ring), "io_uring_submit"); }

// [walk both]
// Reads one CQE for the target and one for the cancel, in whichever order they come.
void show_both(io_uring& ring, const char* what) {
  std::array<int, 3> res{};
  for (int count = 0; count < 2; ++count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    res[io_uring_cqe_get_data64(cqe)] = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("%-22s cancel %d, target %d\n", what, res[cancel], res[target]);
}
// [/walk]

// [walk cancel]
// The target waits for bytes: 0, 4 or all 8 that it asks for have come when the cancel does.
void cancel_with(io_uring& ring, std::string_view bytes, const char* what) {
  std::array<int, 2> pair{};
  lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), "socketpair");
  std::array<char, 8> buffer{};
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv(sqe, pair[0], buffer.data(), buffer.size(), MSG_WAITALL);
  io_uring_sqe_set_data64(sqe, target);
  submit(ring);
  if (!bytes.empty()) {
    lab::need_errno(static_cast<int>(write(pair[1], bytes.data(), bytes.size())), "write");
  }

  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_cancel64(sqe, target, 0);
  io_uring_sqe_set_data64(sqe, cancel);
  submit(ring);
  show_both(ring, what);
  close(pair[0]);
  close(pair[1]);
}
// [/walk]

void arm_polls(io_uring& ring, int fd, long count) {
  for (long index = 0; index < count; ++index) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_poll_add(sqe, fd, POLLIN);
    io_uring_sqe_set_data64(sqe, 1000 + static_cast<unsigned>(index));  // each its own
    if (io_uring_sq_space_left(&ring) == 0) submit(ring);
  }
  submit(ring);
}

// The fastest of 50 cancels that find nothing, so that only the search is measured.
double search_us(io_uring& ring, unsigned flags, int fd) {
  double best_us = 1e9;
  for (int round = 0; round < 50; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_cancel64(sqe, nobody, static_cast<int>(flags));
    if ((flags & IORING_ASYNC_CANCEL_FD) != 0) io_uring_prep_cancel_fd(sqe, fd, flags);
    submit(ring);
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    io_uring_cqe_seen(&ring, cqe);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    best_us = std::min(best_us, took.count());
  }
  return best_us;
}

// [walk drain]
// Ends everything that is in flight, and does not leave before the last CQE has come.
void drain(io_uring& ring, long in_flight) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(sqe, cancel);
  submit(ring);
  int found = 0, ended = 0;
  for (long due = in_flight + 1; due > 0; --due) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    if (io_uring_cqe_get_data64(cqe) == cancel) found = cqe->res;
    if (cqe->res == -ECANCELED) ++ended;
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("everything: cancel found %d, CQEs with -ECANCELED %d\n", found, ended);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: requests in flight for the costs (default 1000)");
  const long count = lesson.argument(1, 1000, 100, 30000);
  io_uring ring;
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = 32768;
  lab::need(io_uring_queue_init_params(64, &ring, &params), "io_uring_queue_init_params");
  lesson.watch(ring);

  cancel_with(ring, "", "nothing has come:");
  cancel_with(ring, "four", "half has come:");
  cancel_with(ring, "all here", "all has come:");

  std::array<int, 2> ends{};
  lab::need_errno(pipe(ends.data()), "pipe");
  arm_polls(ring, ends[0], count);
  const double by_user_data_us = search_us(ring, 0, 0);
  const double by_fd_us =
      search_us(ring, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, ends[1]);
  char costs[64];
  std::snprintf(costs, sizeof costs, "by user_data %.1f us, by fd %.1f us", by_user_data_us,
                by_fd_us);
  std::printf("# %ld in flight, search %s\n", count, costs);
  lab::effect(by_user_data_us < by_fd_us, "search by user_data is cheaper", costs);
  drain(ring, count);

  close(ends[0]);
  close(ends[1]);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
