// 64 reads in one system call, and each answer reaches the job that it belongs to.
#include <liburing.h>

#include "01-core/03-batch/check.hpp"

namespace {

void read_all(io_uring& ring, check::Jobs& jobs) {
  for (check::Job& job : jobs) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, job.fd, job.buffer, sizeof job.buffer, 0);
    io_uring_sqe_set_data(sqe, &job);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");

  for (int answers = 0; answers < check::jobs_count; ++answers) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    auto* job = static_cast<check::Job*>(io_uring_cqe_get_data(cqe));
    job->bytes_read = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, read_all); }
