// Three NOPs with three marks: three SQEs, one submit, three CQEs.
#include <liburing.h>

#include "01-core/01-nop/check.hpp"

namespace {

void three_nops(io_uring& ring, check::Marks& answers) {
  for (const unsigned long long mark : check::marks) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, mark);
  }
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  for (unsigned long long& answer : answers) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    answer = io_uring_cqe_get_data64(cqe);
    io_uring_cqe_seen(&ring, cqe);
  }
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, three_nops); }
