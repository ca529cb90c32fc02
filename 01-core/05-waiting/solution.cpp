// drain_until() takes every answer that comes until a moment, whatever ends its waits.
#include <liburing.h>

#include "01-core/05-waiting/check.hpp"

namespace {

unsigned drain_until(io_uring& ring, check::Moment deadline) {
  unsigned answers = 0;
  while (check::Clock::now() < deadline) {
    const std::chrono::nanoseconds rest = deadline - check::Clock::now();
    if (rest.count() <= 0) break;
    __kernel_timespec patience{.tv_sec = rest.count() / 1'000'000'000,
                               .tv_nsec = rest.count() % 1'000'000'000};
    io_uring_cqe* cqe = nullptr;
    const int res = io_uring_wait_cqe_timeout(&ring, &cqe, &patience);

    if (res == -EINTR || res == -ETIME) continue;
    lab::need(res, "io_uring_wait_cqe_timeout");
    ++answers;
    io_uring_cqe_seen(&ring, cqe);
  }
  return answers;
}

}  // namespace

int main(int argc, char** argv) { return check::judge(argc, argv, drain_until); }
