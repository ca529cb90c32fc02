// Three NOPs with three marks. As it is, the SQEs are filled, and that is all.
#include <liburing.h>

#include "01-core/01-nop/check.hpp"

namespace {

void three_nops(io_uring& ring, check::Marks& answers) {
  for (const unsigned long long mark : check::marks) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    // YOUR TURN 1: the CQE will say whose answer it is by the mark that the SQE had.
    (void)mark;
  }
  // YOUR TURN 2: who tells the kernel that there are three entries? Once is enough.
  // YOUR TURN 3: read three CQEs, write down the mark of each, and give each place back.
  for (unsigned long long& answer : answers) answer = 0;
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, three_nops); }
