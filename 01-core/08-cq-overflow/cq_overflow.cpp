// shows: 32 completions into a CQ of 8: none is lost, but the rest comes only when you ask; what a
//        full CQ does to a multishot request; a CQ that is large enough
// needs: Linux 5.13 (a multishot poll)
// try:   ./lab run 01-08; then ./lab run 01-08 9
#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "01-core/lesson.hpp"

namespace {

// [walk make]
void make_ring(io_uring& ring, unsigned cq_entries) {
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = cq_entries;
  lab::need(io_uring_queue_init_params(8, &ring, &params), "io_uring_queue_init_params");
  if ((params.features & IORING_FEAT_NODROP) == 0) lab::skip("needs Linux 5.5: FEAT_NODROP");
}
// [/walk]

// [walk submit]
// Submits NOPs, eight at a time, and reads no CQE. Each is complete when submit returns.
void submit_nops(io_uring& ring, unsigned count) {
  unsigned taken = 0;
  for (unsigned number = 0; number < count; ++number) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, number);
    if (io_uring_sq_space_left(&ring) > 0 && number + 1 < count) continue;
    taken += static_cast<unsigned>(lab::need(io_uring_submit(&ring), "io_uring_submit"));
  }
  std::printf("taken by submit: %u, in the CQ: %u of %u, overflow flag: %s, dropped: %u\n", taken,
              io_uring_cq_ready(&ring), ring.cq.ring_entries,
              io_uring_cq_has_overflow(&ring) ? "set" : "clear", *ring.cq.koverflow);
}
// [/walk]

// [walk queue]
// Reads what is in the CQ, with no system call. Returns the number that should come next.
unsigned read_queue(io_uring& ring, unsigned next) {
  unsigned head = 0, count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring, head, cqe) {
    if (io_uring_cqe_get_data64(cqe) != next) lab::fail("a CQE is missing or out of order");
    ++next;
    ++count;
  }
  io_uring_cq_advance(&ring, count);
  return next;
}
// [/walk]

// [walk everything]
// The CQ can be empty although there are more CQEs: the flag says so. One call fills the CQ again.
unsigned read_everything(io_uring& ring) {
  unsigned received = read_queue(ring, 0);
  unsigned calls = 0;
  while (io_uring_cq_has_overflow(&ring)) {
    lab::need(io_uring_get_events(&ring), "io_uring_get_events");
    received = read_queue(ring, received);
    ++calls;
  }
  std::printf("received in order: %u, calls to fetch the rest: %u\n", received, calls);
  return received;
}
// [/walk]

// [walk multishot]
// A byte in the pipe is one CQE of the poll. Twenty are written while nobody reads the CQ.
void overflow_a_multishot(io_uring& ring) {
  std::array<int, 2> ends{};
  lab::need_errno(pipe(ends.data()), "pipe");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_multishot(sqe, ends[0], POLLIN);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  for (int count = 0; count < 20; ++count) {
    lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write");
  }
  unsigned more = 0, last = 0;
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring, &cqe) == 0) {  // it asks for the rest by itself
    ++((cqe->flags & IORING_CQE_F_MORE) != 0 ? more : last);
    io_uring_cqe_seen(&ring, cqe);
  }
  std::printf("multishot: %u CQEs with F_MORE, %u without\n", more, last);
  close(ends[0]);
  close(ends[1]);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[count]: how many NOPs (default 32)");
  const auto count = static_cast<unsigned>(lesson.argument(1, 32, 1, 1000));
  io_uring small;
  make_ring(small, 8);
  lesson.watch(small);
  submit_nops(small, count);
  if (read_everything(small) != count) lab::fail("CQEs are missing", "is the overflow flag set?");
  overflow_a_multishot(small);
  io_uring_queue_exit(&small);

  io_uring large;
  make_ring(large, 2048);
  lesson.watch(large);
  submit_nops(large, count);
  if (read_everything(large) != count) lab::fail("CQEs are missing", "is the overflow flag set?");
  io_uring_queue_exit(&large);
  return lab::ok();
}
