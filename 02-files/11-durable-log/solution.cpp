// One way to do it.
#include "02-files/11-durable-log/check.hpp"

namespace {

int append(io_uring& ring, int log, const std::string& batch) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, log, batch.data(), static_cast<unsigned>(batch.size()), ~0ULL);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_fsync(sqe, log, IORING_FSYNC_DATASYNC);
  exercise::submit_and_wait(ring, 2);

  int error = 0;
  for (int count = 0; count < 2; ++count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    if (cqe->res < 0 && (error == 0 || error == -ECANCELED)) error = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  if (error == 0) exercise::acknowledge();
  return error;
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
