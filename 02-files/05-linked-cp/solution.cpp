// One way to do it.
#include "02-files/05-linked-cp/check.hpp"

namespace {

int finish(io_uring& ring, int to, const char* memory, std::uint64_t offset,
           exercise::Results results) {
  if (results.read <= 0) return results.read;
  if (results.write != -ECANCELED) return results.write;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, memory, static_cast<unsigned>(results.read), offset);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const int status = exercise::Judge(ring, &finish).run();
  io_uring_queue_exit(&ring);
  return status;
}
