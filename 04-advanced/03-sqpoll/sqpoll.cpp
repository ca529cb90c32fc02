// shows: a kernel thread that submits for you, when it sleeps, and what it costs
// needs: Linux 5.13
// try:   ./lab run 04-03; then make idle_ms 100 and see which figure changes
#include <liburing.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

using Clock = std::chrono::steady_clock;
// A server would take less: this much CPU is spent after every last request.
constexpr unsigned idle_ms = 500;
constexpr int nops = 50;

// Of the whole process: a polling thread of the kernel belongs to the process that made its ring.
double cpu_seconds() {
  rusage usage{};
  lab::need_errno(getrusage(RUSAGE_SELF, &usage), "getrusage");
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// [walk sleeps]
bool kernel_thread_sleeps(const io_uring& ring) {
  return (IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0;
}
// [/walk]

// [walk publish]
// What io_uring_submit() does on such a ring. True when a system call was needed.
bool publish(io_uring& ring) {
  ring.sq.sqe_head = ring.sq.sqe_tail;
  io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);

  // First our tail, then its flag. The thread does it the other way around: first its flag, then a
  // last look at the tail. So one of the two always sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!kernel_thread_sleeps(ring)) return false;
  lab::need(
      io_uring_enter(static_cast<unsigned>(ring.ring_fd), 0, 0, IORING_ENTER_SQ_WAKEUP, nullptr),
      "io_uring_enter");
  return true;
}
// [/walk]

// [walk nop]
// One NOP, to its CQE. Only the submit differs; both look for the CQE, and neither sleeps.
bool nop(io_uring& ring, bool polled) {
  io_uring_prep_nop(io_uring_get_sqe(&ring));
  bool entered = true;  // on a plain ring each submit is a system call
  if (polled) {
    entered = publish(ring);
  } else {
    lab::need(io_uring_submit(&ring), "io_uring_submit");
  }
  while (io_uring_cq_ready(&ring) == 0) {
    std::this_thread::yield();  // the two threads may have to share a core
  }
  io_uring_cq_advance(&ring, 1);
  return entered;
}
// [/walk]

void run(io_uring& ring, const char* name, bool polled) {
  const double cpu_before = cpu_seconds();
  const auto begin = Clock::now();
  int entered = 0;
  for (int i = 0; i < nops; ++i) entered += nop(ring, polled) ? 1 : 0;
  const std::chrono::duration<double, std::micro> spent = Clock::now() - begin;
  const double cpu = cpu_seconds() - cpu_before;
  // On a busy machine this thread may be held up for longer than idle_ms, and then one is needed.
  const std::string count = std::to_string(entered) + " calls for " + std::to_string(nops);
  if (polled) lab::effect(entered <= nops / 10, name, count, "submitting needs no system calls");
  if (!polled) std::printf("%s: every submit is a system call\n", name);
  std::printf("# %s: %d system calls to submit %d NOPs\n", name, entered, nops);
  std::printf("# %s: %.2f us a NOP, %.2f us of CPU a NOP\n", name, spent.count() / nops,
              cpu * 1e6 / nops);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);

  io_uring plain;
  lab::need(io_uring_queue_init(8, &plain, 0), "io_uring_queue_init");
  lesson.watch(plain);
  run(plain, "plain", false);
  io_uring_queue_exit(&plain);

  io_uring ring;
  // [walk setup]
  io_uring_params params{};
  params.flags = IORING_SETUP_SQPOLL;
  params.sq_thread_idle = idle_ms;
  lab::need(io_uring_queue_init_params(8, &ring, &params), "io_uring_queue_init_params");
  lesson.watch(ring);
  // A new thread may go to sleep at once. Only after work does it keep looking for idle_ms.
  nop(ring, true);
  // [/walk]
  run(ring, "SQPOLL", true);

  // [walk idle]
  // Nothing is submitted. The thread keeps looking for idle_ms, and only then goes to sleep.
  const double cpu_before = cpu_seconds();
  while (!kernel_thread_sleeps(ring)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const double burned = cpu_seconds() - cpu_before;
  // [/walk]
  std::printf("# with nothing to do: %.2f s of CPU\n", burned);
  lab::effect(burned > 0.01, "with nothing to do: it used CPU, then it slept",
              std::to_string(burned) + " s of CPU");

  std::printf("the next submit has to wake it: %s\n", nop(ring, true) ? "yes" : "no");
  io_uring_queue_exit(&ring);
  return lab::ok();
}
