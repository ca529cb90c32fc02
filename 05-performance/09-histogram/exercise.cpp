// A load generator that does not see a stalled server. Let it count from when each request was
// due. `./lab exercise 05-09` runs it; check.hpp judges it.
#include "05-performance/09-histogram/check.hpp"

#include <array>
#include <cerrno>

namespace {

void take(io_uring& ring, int wanted) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res != wanted) lab::fail("a CQE with res " + std::to_string(cqe->res));
  io_uring_cqe_seen(&ring, cqe);
}

// YOUR TURN 1: this waits for a time, after whatever came before. Each late answer moves all
// requests behind it. Wait for the moment when the request is due.
void pause(io_uring& ring, std::uint64_t ns) {
  __kernel_timespec time{.tv_sec = static_cast<long long>(ns / 1'000'000'000),
                         .tv_nsec = static_cast<long long>(ns % 1'000'000'000)};
  io_uring_prep_timeout(io_uring_get_sqe(&ring), &time, 0, 0);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  take(ring, -ETIME);
}

void ask(check::Load& load) {
  std::array<char, check::message_size> question{"request"};
  std::array<char, check::message_size> answer{};
  io_uring_prep_send(io_uring_get_sqe(&load.ring), load.fd, question.data(), question.size(), 0);
  io_uring_prep_recv(io_uring_get_sqe(&load.ring), load.fd, answer.data(), answer.size(),
                     MSG_WAITALL);
  lab::need(io_uring_submit_and_wait(&load.ring, 2), "io_uring_submit_and_wait");
  for (int results = 0; results < 2; ++results) take(load.ring, check::message_size);
}

void generate(check::Load& load) {
  for (unsigned request = 0; request < load.request_count; ++request) {
    const std::uint64_t sent_ns = check::now_ns();
    ask(load);
    // YOUR TURN 2: this is how long the server took. How long did the user wait? Request 0 was due
    // at load.start_ns, each other one check::interval_ns after the one before it.
    load.record(check::now_ns() - sent_ns);
    pause(load.ring, check::interval_ns);
  }
}

}  // namespace

int main(int argc, char** argv) { return check::run(argc, argv, &generate); }
