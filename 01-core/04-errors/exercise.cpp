// What became of a read? As it is, the question is asked as after read(2): -1 and errno.
#include <liburing.h>

#include <cerrno>

#include "01-core/04-errors/check.hpp"

namespace {

// One read of `size` bytes at the file's beginning, and what became of it.
check::Outcome read_once(io_uring& ring, int fd, char* buffer, unsigned size) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, fd, buffer, size, 0);
  // YOUR TURN 1: submit may refuse. Then no CQE will ever come, and waiting for it takes for ever.
  io_uring_submit(&ring);
  io_uring_cqe* cqe = nullptr;
  if (io_uring_peek_cqe(&ring, &cqe) != 0) return {check::What::whole, 0};
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  // YOUR TURN 2: where is the reason when it failed?
  if (res == -1) return {check::What::failed, errno};
  // YOUR TURN 3: there are three more things that a result can mean.
  return {check::What::whole, 0};
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_once); }
