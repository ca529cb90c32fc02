// A cat that believes in one read and one write. `./lab exercise 02-01` runs it.
#include "02-files/01-cat/check.hpp"

namespace {

int answer(io_uring& ring) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

void cat(io_uring& ring, int from, int to) {
  char buffer[4096];
  // YOUR TURN 1: one read is not enough. When is it over?
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, from, buffer, sizeof buffer, ~0ULL);
  const int got = lab::need(answer(ring), "read");

  // YOUR TURN 2: how much of the buffer is to be written, and is one write enough?
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, buffer, static_cast<unsigned>(got), ~0ULL);
  lab::need(answer(ring), "write");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::Judge(ring, &cat).run();
  io_uring_queue_exit(&ring);
  return status;
}
