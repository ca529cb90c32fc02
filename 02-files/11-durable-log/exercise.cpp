// A log that acknowledges too early. `./lab exercise 02-11` runs it.
#include "02-files/11-durable-log/check.hpp"

namespace {

int append(io_uring& ring, int log, const std::string& batch) {
  // YOUR TURN 1: a write alone lies in the page cache. What has to be queued behind it, and how do
  // the two keep their order?
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, log, batch.data(), static_cast<unsigned>(batch.size()), ~0ULL);
  exercise::submit_and_wait(ring, 1);

  // YOUR TURN 2: when may the client be told, and when not? Two answers come.
  exercise::acknowledge();
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  io_uring_cqe_seen(&ring, cqe);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::Judge(ring, &append).run();
  io_uring_queue_exit(&ring);
  return status;
}
