// drain_until() shall take every answer that comes until a moment, and return how many there were.
// Signals arrive all the time. Now it gives up at the first thing that is not an answer.
#include <liburing.h>

#include "01-core/05-waiting/check.hpp"

namespace {

unsigned drain_until(io_uring& ring, check::Moment deadline) {
  unsigned answers = 0;
  while (check::Clock::now() < deadline) {
    // YOUR TURN 1: how long may this wait last? The time until the deadline, and no longer.
    __kernel_timespec patience{.tv_sec = 1, .tv_nsec = 0};
    io_uring_cqe* cqe = nullptr;
    const int res = io_uring_wait_cqe_timeout(&ring, &cqe, &patience);

    // YOUR TURN 2: which negative results are no failure, and what follows from each?
    lab::need(res, "io_uring_wait_cqe_timeout");
    ++answers;
    io_uring_cqe_seen(&ring, cqe);
  }
  return answers;
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, drain_until); }
