// shows: a completion queue that grows while answers lie in it and a request is in flight
// needs: Linux 6.13
// try:   ./lab run 04-14 200; how large does the queue have to be so that nothing overflows?
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned poll_number = 1000;

void state(const io_uring& ring, const char* when) {
  std::printf("%s: %u answers in a CQ of %u, overflow: %s\n", when, io_uring_cq_ready(&ring),
              ring.cq.ring_entries, io_uring_cq_has_overflow(&ring) ? "yes" : "no");
}

// [walk burst]
// Many requests are answered before the program comes to read: NOPs 1, 2, 3, ...
void burst(io_uring& ring, unsigned count) {
  for (unsigned number = 1; number <= count; ++number) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, number);
    if (io_uring_sq_space_left(&ring) > 0 && number < count) continue;
    lab::need(io_uring_submit(&ring), "io_uring_submit");
  }
}
// [/walk]

// [walk read-all]
// Each call fills the CQ again from what overflowed, as 01-core/08-cq-overflow shows.
void read_all(io_uring& ring) {
  unsigned count = 0, calls = 0;
  bool in_order = true;
  for (;; ++calls) {
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0, here = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      in_order = io_uring_cqe_get_data64(cqe) == ++count && in_order;
      ++here;
    }
    io_uring_cq_advance(&ring, here);
    if (!io_uring_cq_has_overflow(&ring)) break;
    lab::need(io_uring_get_events(&ring), "io_uring_get_events");
  }
  std::printf("  read %u, %s, with %u system calls\n", count,
              in_order ? "in order" : "NOT in order", calls);
}
// [/walk]

// [walk resize]
// CQSIZE says that cq_entries counts. The SQ may be resized by the same call; here it stays.
int resize(io_uring& ring, unsigned cq_entries) {
  io_uring_params params{.sq_entries = ring.sq.ring_entries, .cq_entries = cq_entries};
  params.flags = IORING_SETUP_CQSIZE;
  return io_uring_resize_rings(&ring, &params);
}
// [/walk]

void show_refusal(io_uring& ring, const char* what, unsigned cq_entries) {
  const int res = resize(ring, cq_entries);
  std::printf("%s: %s\n", what, res < 0 ? std::strerror(-res) : "done");
}

// [walk make]
void make_ring(io_uring& ring, unsigned flags) {
  io_uring_params params{.cq_entries = 8, .flags = flags | IORING_SETUP_CQSIZE};
  lab::need(io_uring_queue_init_params(8, &ring, &params), "io_uring_queue_init_params");
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: answers in a burst (default 32)");
  const auto count = static_cast<unsigned>(lesson.argument(1, 32, 1, poll_number - 1));
  io_uring ring;
  make_ring(ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  lesson.watch(ring);
  burst(ring, count);
  state(ring, "a burst");
  read_all(ring);

  const int grown = resize(ring, 64);
  if (grown == -EINVAL) lab::skip("needs Linux 6.13: IORING_REGISTER_RESIZE_RINGS");
  lab::need(grown, "io_uring_resize_rings");
  burst(ring, count);
  state(ring, "the same burst, in a CQ that has grown");

  // [walk in-use]
  // Now with work going on: answers that nobody has read, and a request that waits for a byte.
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_add(sqe, ends[0], POLLIN);
  io_uring_sqe_set_data64(sqe, poll_number);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  const auto begin = std::chrono::steady_clock::now();
  lab::need(resize(ring, 128), "io_uring_resize_rings");
  // [/walk]
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  std::printf("# growing took %.1f us\n", took.count());
  state(ring, "grown once more, with answers in it");
  read_all(ring);
  // [walk byte]
  lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, nullptr, nullptr), "io_uring_enter");
  std::printf("a byte, and the request in flight: answer of %llu\n", cqe->user_data);
  io_uring_cqe_seen(&ring, cqe);
  // [/walk]

  burst(ring, 20);
  show_refusal(ring, "shrink to 16, with 20 answers in it", 16);
  state(ring, "after that");
  show_refusal(ring, "shrink to 32", 32);
  read_all(ring);
  show_refusal(ring, "a CQ of 4 for an SQ of 8", 4);
  io_uring_queue_exit(&ring);
  make_ring(ring, 0);
  show_refusal(ring, "a ring without DEFER_TASKRUN", 64);
  io_uring_queue_exit(&ring);
  for (const int fd : ends) close(fd);
  return lab::ok();
}
