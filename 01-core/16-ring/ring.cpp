// shows: user_data as the address of an object that knows what to do with the answer
// needs: Linux 5.13 (a multishot poll)
// try:   ./lab run 01-16; then let on_rung() arm the doorbell again, and read what stops it
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "01-core/lesson.hpp"

namespace {

io_uring ring;
int armed_count = 0;

// [walk completion]
// Embedded in whatever waits for an answer. It is armed until its CQE without F_MORE. Until then it
// must not move, die or be armed again, because the kernel has its address.
struct Completion {
  void (*handler)(Completion&, int res);
  bool armed = false;
};

void arm(io_uring_sqe* sqe, Completion& completion) {
  if (completion.armed) lab::fail("armed twice: whose answer would the first CQE be?");
  completion.armed = true;
  ++armed_count;
  io_uring_sqe_set_data(sqe, &completion);
}
// [/walk]

// [walk deliver]
// The flag is cleared before the handler runs, so that a handler may arm its completion again.
void deliver(Completion& completion, int res, unsigned flags) {
  if (!completion.armed) lab::fail("a CQE for what is not armed");
  if ((flags & IORING_CQE_F_MORE) == 0) {
    completion.armed = false;
    --armed_count;
  }
  completion.handler(completion, res);
}
// [/walk]

// [walk loop]
// One system call submits what is prepared and waits for at least one answer. Then all answers that
// are there are read from the shared memory, and their places are given back together.
void run_once() {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring, head, cqe) {
    deliver(*static_cast<Completion*>(io_uring_cqe_get_data(cqe)), cqe->res, cqe->flags);
    ++count;
  }
  io_uring_cq_advance(&ring, count);
}
// [/walk]

// --- what this program wants: three naps, and a doorbell that the last one rings ---

// [walk nap]
struct Nap : Completion {
  long long milliseconds;
  __kernel_timespec time{};
};
// [/walk]

struct Doorbell : Completion {
  int fd;
};

void on_end_of_nap(Completion& completion, int res);
void on_rung(Completion& completion, int res);
void on_cancelled(Completion& completion, int res);

Nap naps[] = {{{&on_end_of_nap}, 30}, {{&on_end_of_nap}, 10}, {{&on_end_of_nap}, 20}};
Doorbell doorbell{{&on_rung}, -1};
Completion cancel{&on_cancelled};

// [walk nap]
void on_end_of_nap(Completion& completion, int res) {
  const Nap& nap = static_cast<Nap&>(completion);
  std::printf("nap of %lld ms: %s, armed: %s\n", nap.milliseconds,
              res == -ETIME ? "over" : "failed", nap.armed ? "yes" : "no");
  if (nap.milliseconds == 30) eventfd_write(doorbell.fd, 1);
}
// [/walk]

// [walk rung]
void on_rung(Completion& completion, int res) {
  std::printf("doorbell: %s, armed: %s\n", res >= 0 ? "rung" : "cancelled",
              completion.armed ? "yes" : "no");
  if (res < 0) return;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_remove(sqe, reinterpret_cast<std::uintptr_t>(&completion));
  arm(sqe, cancel);
}

void on_cancelled(Completion&, int res) { lab::need(res, "poll_remove"); }
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // [walk start]
  for (Nap& nap : naps) {
    nap.time.tv_nsec = nap.milliseconds * 1'000'000;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_timeout(sqe, &nap.time, 0, 0);
    arm(sqe, nap);
  }
  doorbell.fd = lab::need_errno(eventfd(0, EFD_CLOEXEC), "eventfd");
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_multishot(sqe, doorbell.fd, POLLIN);
  arm(sqe, doorbell);

  std::printf("armed: %d\n", armed_count);
  while (armed_count > 0) run_once();
  // [/walk]

  close(doorbell.fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
