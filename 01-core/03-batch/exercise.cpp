// 64 pipes, one read each. At first the pipes are empty; the bytes arrive later, in an order of
// their own. This program works through them as if they were ordinary calls. Change it so that
// all reads go out in one system call, and each answer reaches the job that it belongs to.
#include <liburing.h>

#include "01-core/03-batch/check.hpp"

namespace {

void read_all(io_uring& ring, check::Jobs& jobs) {
  // YOUR TURN 1: one system call for all the reads. The ring has room for all of them.
  // YOUR TURN 2: put into each SQE what tells its CQE apart from the others.
  for (check::Job& job : jobs) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, job.fd, job.buffer, sizeof job.buffer, 0);
    lab::need(io_uring_submit(&ring), "io_uring_submit");
  }

  // YOUR TURN 2: find the job of this CQE. The first answer need not be the first job's.
  for (check::Job& job : jobs) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    job.bytes_read = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_all); }
